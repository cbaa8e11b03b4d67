"""Prepared databases on disk: found by name, and read split by split."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_tf.data.tfrecords import Split, fits_memory, index_records
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.files import read_json
from fer_tf.occlusion.kinds import DATABASES, RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels

UNCOVERED = "uncovered"
"""The database of the same faces without occlusion, a reference."""

MIXED = "mixed"
"""The database of the same faces, each of them uncovered and covered in all three ways."""

KINDS = DATABASES | {UNCOVERED: "none", MIXED: "mixed"}
"""Database -> how its faces are covered, one of `fer_tf.occlusion.kinds.RECOGNISED`, or "mixed"."""

_AGAIN = "build it again with `python cli.py build-datasets --rebuild`"


@dataclass(frozen=True)
class Database:
    """A prepared database on disk.

    Attributes:
        name: a key of `KINDS`, e.g. "concat_db".
        config: e.g. "fer2013-leakfree".
        data_dir: the TFDS data directory that contains it.
    """

    name: str
    config: str
    data_dir: Path

    def __str__(self):
        return f"{self.name}/{self.config}"

    @property
    def occlusion(self) -> str:
        """How the database's faces are covered, a value of `KINDS`."""
        return KINDS[self.name]

    @property
    def folder(self) -> Path:
        """The folder of the newest prepared version."""
        return _versions(self.data_dir / self.name / self.config)[-1]

    def beside(self, name: str) -> "Database":
        """The database of another name with the same config.

        Raises:
            UserError: if it is not prepared.
        """
        return find_database(f"{name}/{self.config}", self.data_dir)

    def builder(self):
        """The read-only TFDS builder of the newest version.

        Raises:
            UserError: if its description is damaged.
        """
        import tensorflow_datasets as tfds
        from google.protobuf.json_format import ParseError

        try:
            return tfds.builder_from_directory(self.folder)
        except (OSError, ValueError, ParseError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise _damaged(self.folder, reason) from error

    def fingerprint(self) -> str:
        """A hash of faces, labels, splits and black pixels; "" if the builder wrote none.

        Raises:
            UserError: if the file that contains it is damaged.
        """
        try:
            metadata = read_json(self.folder / "metadata.json", _AGAIN)
        except FileNotFoundError:
            return ""
        return metadata.get("image_fingerprint", "")

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads a split.

        Args:
            split: "train", "validation" or "test".
            stream: whether its images stay on disk and are fetched batch by batch; by default
                where they would take more than an eighth of the memory. Order and numbers are the
                same either way.

        Raises:
            UserError: if the database has other labels than this program, or is damaged.
        """
        info = self.builder().info
        names = tuple(info.features["label"].names)
        if names != EXPRESSIONS:
            raise UserError(
                f"{self} has the labels {names}, expected {EXPRESSIONS}; build it again with "
                f"`python cli.py build-datasets {self.name}`."
            )
        stored = index_records(info.splits[split].filepaths)
        count = info.splits[split].num_examples
        if len(stored.images) != count:
            reason = f"{len(stored.images)} images in its {split} split, {count} expected"
            raise _damaged(self.folder, reason)
        if stream is None:
            stream = not fits_memory(stored.images)
        return stored if stream else replace(stored, images=stored.images[:])


@dataclass(frozen=True)
class UncoveredDatabase(Database):
    """The uncovered faces, put together from both halves; its images are always in memory."""

    @property
    def folder(self) -> Path:
        """The folder of `concat_db`, which has the same faces and splits."""
        return self.beside("concat_db").folder

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads a split; see `Database.read`."""
        lower_halves = self.beside("concat_db").read(split, stream=False)
        upper_halves = self.beside("bconcat_db").read(split, stream=False)
        if self.fingerprint() != self.beside("bconcat_db").fingerprint():
            raise UserError(
                f"concat_db/{self.config} and bconcat_db/{self.config} hold other faces; build "
                "both again with `python cli.py build-datasets --rebuild`."
            )
        # Each pixel is black in one of the two databases.
        images = np.maximum(lower_halves.images, upper_halves.images_of(lower_halves.ids))
        return replace(lower_halves, images=images)


@dataclass(frozen=True)
class MixedDatabase(Database):
    """Each face uncovered and as the three databases cover it; its images are always in memory."""

    @property
    def folder(self) -> Path:
        """The folder of `eye_cdb`, whose fingerprint includes the eye boxes."""
        return self.beside("eye_cdb").folder

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads a split: all faces uncovered, then all faces with each kind of occlusion.

        Raises:
            UserError: see `with_eye_masks`.
        """
        faces = self.with_eye_masks(split)
        uncovered, mask = faces.images[..., :1], faces.images[..., 1:]
        images = [np.where(visible_pixels(kind), uncovered, 0) for kind in RECOGNISED[:-1]]
        images.append(np.where(mask, 0, uncovered))
        count = len(images)
        return Split(
            np.concatenate(images).astype(np.uint8),
            np.tile(faces.labels, count),
            faces.ids * count,
            faces.subjects * count,
        )

    def with_eye_masks(self, split: str) -> Split:
        """Reads the uncovered faces of a split, with a mask of the eyes behind each face.

        Returns:
            A split whose images are uint8 [N, 48, 48, 2]: the face, and 255 where `eye_cdb` has
            black boxes, else 0.

        Raises:
            UserError: if the three databases contain different faces.
        """
        uncovered = self.beside(UNCOVERED).read(split)
        eyes = self.beside("eye_cdb").read(split, stream=False)
        different = UserError(
            f"eye_cdb/{self.config} holds other faces than concat_db/{self.config}; build both "
            "again with `python cli.py build-datasets --rebuild`."
        )
        if set(eyes.ids) != set(uncovered.ids):
            raise different
        covered = eyes.images_of(uncovered.ids)
        changed = covered != uncovered.images
        if covered[changed].any():  # The eyes' boxes are black.
            raise different
        mask = np.where(changed, 255, 0).astype(np.uint8)
        return replace(uncovered, images=np.concatenate([uncovered.images, mask], axis=-1))


def find_database(name: str, data_dir: Path) -> Database:
    """Finds the prepared database that a user names.

    Args:
        name: `concat_db`, `bconcat_db` or `eye_cdb`, or one of them followed by `/CONFIG`;
            or `uncovered`, which needs the first two, or `mixed`, which needs all three.
        data_dir: the TFDS data directory.

    Raises:
        UserError: if there is no such database, none is prepared, or several configs are and
            none is named.
    """
    database, _, config = name.partition("/")
    if database == UNCOVERED:
        half = find_database(f"concat_db/{config}".rstrip("/"), data_dir)
        half.beside("bconcat_db")
        return UncoveredDatabase(UNCOVERED, half.config, data_dir)
    if database == MIXED:
        uncovered = find_database(f"{UNCOVERED}/{config}".rstrip("/"), data_dir)
        uncovered.beside("eye_cdb")
        return MixedDatabase(MIXED, uncovered.config, data_dir)
    if database not in DATABASES:
        raise UserError(
            f"No database is named {database!r}; choose one of {', '.join(DATABASES)}, "
            f"{UNCOVERED} or {MIXED}, with or without /CONFIG."
        )
    folder = data_dir / database
    configs = sorted(path.name for path in folder.glob("*") if path.is_dir() and _versions(path))
    if config in configs:
        return Database(database, config, data_dir)
    if config or not configs:
        wanted = f" in config {config!r}" if config else ""
        prepared = f" (prepared there: {', '.join(configs)})" if configs else ""
        raise UserError(
            f"{database} is not prepared{wanted} under {data_dir}{prepared}; run "
            f"`python cli.py build-datasets {database}` first."
        )
    if len(configs) > 1:
        names = ", ".join(f"{database}/{name}" for name in configs)
        raise UserError(
            f"{database} is prepared in several configs under {data_dir}; name one of {names}."
        )
    return Database(database, configs[0], data_dir)


def _versions(folder: Path) -> list[Path]:
    """Prepared version folders, oldest first; TFDS writes dataset_info.json last."""
    folders = [path.parent for path in folder.glob("*.*.*/dataset_info.json")]
    # Other names are those of interrupted builds, e.g. `incomplete.A1B2C3_1.0.0`.
    complete = [path for path in folders if re.fullmatch(r"\d+\.\d+\.\d+", path.name)]
    return sorted(complete, key=lambda path: [int(part) for part in path.name.split(".")])


def _damaged(folder: Path, reason: str) -> UserError:
    return UserError(f"{folder} is damaged ({reason}); {_AGAIN}.")
