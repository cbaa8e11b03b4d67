"""A prepared database seen as the task of one network: batches of (image, class)."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_tf.data.tfrecords import StoredImages, fits_memory, index_records
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, Task
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

EVALUATION_BATCH = 256
"""Images per step where nothing is learnt; any size gives the same numbers."""


@dataclass(frozen=True)
class Split:
    """One split of a database.

    Attributes:
        images: uint8 [N, 48, 48, 1], in memory or on disk.
        labels: int32 [N], expressions 0 to 6.
        ids: the faces' ids, N strings.
        subjects: the persons shown, N strings, "" where unknown.
    """

    images: np.ndarray | StoredImages
    labels: np.ndarray
    ids: list[str]
    subjects: list[str]

    @property
    def sources(self) -> np.ndarray:
        """Where each face is from, N strings, e.g. "fer2013"."""
        return np.array([name.partition("/")[0] for name in self.ids])

    def for_task(self, task: Task) -> tuple[np.ndarray | StoredImages, np.ndarray]:
        """The images that belong to a task and their classes, uint8 [M, 48, 48, 1], int32 [M].

        Images on disk stay there.
        """
        classes = np.asarray(task.class_of, np.int32)[self.labels]
        rows = self.rows_of(task)
        on_disk = isinstance(self.images, StoredImages)
        return self.images.select(rows) if on_disk else self.images[rows], classes[rows]

    def rows_of(self, task: Task) -> np.ndarray:
        """The rows of the images that belong to a task, int [M]."""
        return np.flatnonzero(np.asarray(task.class_of)[self.labels] >= 0)


@dataclass(frozen=True)
class Database:
    """A prepared database on disk.

    Attributes:
        name: "concat_db", "bconcat_db", "eye_cdb" or "uncovered".
        config: e.g. "fer2013-leakfree".
        data_dir: the TFDS data directory that holds it.
    """

    name: str
    config: str
    data_dir: Path

    def __str__(self):
        return f"{self.name}/{self.config}"

    @property
    def occlusion(self) -> str:
        """Which part of its faces is black, a value of `KINDS`."""
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
        """The read-only TFDS builder of the newest prepared version.

        Raises:
            UserError: if its description is damaged.
        """
        import tensorflow_datasets as tfds
        from google.protobuf.json_format import ParseError

        try:
            return tfds.builder_from_directory(self.folder)
        except (OSError, ValueError, ParseError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise UserError(_damaged(self.folder, reason)) from error

    def fingerprint(self) -> str:
        """A hash of faces, labels, splits and what is black; "" if the builder wrote none.

        Raises:
            UserError: if the file that holds it is damaged.
        """
        try:
            metadata = read_json(self.folder / "metadata.json", _AGAIN)
        except FileNotFoundError:
            return ""
        return metadata.get("image_fingerprint", "")

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads "train", "validation" or "test".

        Args:
            split: which split.
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
        images, *others = index_records(info.splits[split].filepaths)
        if len(images) != (count := info.splits[split].num_examples):
            reason = f"{len(images)} images in its {split} split, {count} expected"
            raise UserError(_damaged(self.folder, reason))
        if stream is None:
            stream = not fits_memory(images)
        return Split(images if stream else images[:], *others)


@dataclass(frozen=True)
class UncoveredDatabase(Database):
    """The faces as they are, put together from those with the upper and the lower half black.

    Its images are always held in memory.
    """

    @property
    def folder(self) -> Path:
        """The folder of `concat_db`, which has the same faces and splits."""
        return self.beside("concat_db").folder

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads "train", "validation" or "test"; see `Database.read`."""
        lower, upper = (
            self.beside(name).read(split, stream=False) for name in ("concat_db", "bconcat_db")
        )
        if self.fingerprint() != self.beside("bconcat_db").fingerprint():
            raise UserError(
                f"concat_db/{self.config} and bconcat_db/{self.config} hold other faces; build "
                "both again with `python cli.py build-datasets --rebuild`."
            )
        place = {name: row for row, name in enumerate(upper.ids)}
        rows = [place[name] for name in lower.ids]
        # Where one is black the other is not.
        return replace(lower, images=np.maximum(lower.images, upper.images[rows]))


@dataclass(frozen=True)
class MixedDatabase(Database):
    """Each face four times: uncovered, and as each of the three databases covers it.

    Its images are always held in memory.
    """

    @property
    def folder(self) -> Path:
        """The folder of `eye_cdb`, whose fingerprint covers the eyes that were found too."""
        return self.beside("eye_cdb").folder

    def read(self, split: str, stream: bool | None = None) -> Split:
        """Reads "train", "validation" or "test": all faces in each kind of `RECOGNISED`, in turn.

        Raises:
            UserError: see `with_eye_masks`.
        """
        faces = self.with_eye_masks(split)
        face, mask = faces.images[..., :1], faces.images[..., 1:]
        kinds = [np.where(visible_pixels(kind), face, 0) for kind in RECOGNISED[:-1]]
        kinds.append(np.where(mask, 0, face))
        count = len(kinds)
        return Split(
            np.concatenate(kinds).astype(np.uint8),
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
            UserError: if the three databases hold other faces than each other.
        """
        uncovered = self.beside(UNCOVERED).read(split)
        eyes = self.beside("eye_cdb").read(split, stream=False)
        place = {name: row for row, name in enumerate(eyes.ids)}
        images = None
        if place.keys() == set(uncovered.ids):
            covered = eyes.images[[place[name] for name in uncovered.ids]]
            black = covered != uncovered.images
            if not covered[black].any():  # They differ by black boxes alone.
                mask = np.where(black, 255, 0).astype(np.uint8)
                images = np.concatenate([uncovered.images, mask], axis=-1)
        if images is None:
            raise UserError(
                f"eye_cdb/{self.config} holds other faces than concat_db/{self.config}; build both "
                "again with `python cli.py build-datasets --rebuild`."
            )
        return replace(uncovered, images=images)


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
        find_database(f"bconcat_db/{half.config}", data_dir)
        return UncoveredDatabase(UNCOVERED, half.config, data_dir)
    if database == MIXED:
        whole = find_database(f"{UNCOVERED}/{config}".rstrip("/"), data_dir)
        find_database(f"eye_cdb/{whole.config}", data_dir)
        return MixedDatabase(MIXED, whole.config, data_dir)
    if database not in DATABASES:
        raise UserError(
            f"No database is named {database!r}; choose one of {', '.join(DATABASES)}, "
            f"{UNCOVERED} or {MIXED}, with or without /CONFIG."
        )
    folder = data_dir / database
    configs = sorted(p.name for p in folder.glob("*") if p.is_dir() and _versions(p))
    if config and config in configs:
        return Database(database, config, data_dir)
    if config or not configs:
        wanted = f" in config {config!r}" if config else ""
        there = f" (prepared there: {', '.join(configs)})" if configs else ""
        raise UserError(
            f"{database} is not prepared{wanted} under {data_dir}{there}; run "
            f"`python cli.py build-datasets {database}` first."
        )
    if len(configs) > 1:
        raise UserError(
            f"{database} is prepared in several configs under {data_dir}; name one of "
            + ", ".join(f"{database}/{c}" for c in configs)
            + "."
        )
    return Database(database, configs[0], data_dir)


def _versions(folder: Path) -> list[Path]:
    """Prepared version folders, oldest first; TFDS writes dataset_info.json last."""
    found = [p.parent for p in folder.glob("*.*.*/dataset_info.json")]
    # Others are what an interrupted build leaves, e.g. `incomplete.A1B2C3_1.0.0`.
    found = [p for p in found if re.fullmatch(r"\d+\.\d+\.\d+", p.name)]
    return sorted(found, key=lambda p: [int(n) for n in p.name.split(".")])


def _damaged(folder, reason):
    return f"{folder} is damaged ({reason}); {_AGAIN}."


def training_batches(*arrays, batch_size: int, seed: int, first_epoch: int = 0):
    """Endless shuffled batches; epoch e is shuffled by (seed, e) alone, so a run can go on.

    Args:
        *arrays: images uint8 [N, 48, 48, 1], in memory or on disk, classes int32 [N] and, where
            the loss is weighted, weights float32 [N].
        batch_size: images per batch at most; an epoch's batches are as even as can be, since a
            last one of a few images makes for a rough step and cannot be shared by replicas.
        seed: of the shuffling.
        first_epoch: the epoch that comes first.

    Returns:
        What `fit` takes with `steps_per_epoch`: a `tf.data.Dataset` on TensorFlow, else a
        generator.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return _numpy_batches(arrays, batch_size, seed, first_epoch)
    import tensorflow as tf

    count = len(arrays[0])

    def epoch(number):
        key = tf.stack([tf.constant(seed, tf.int64), number])
        order = tf.random.experimental.stateless_shuffle(tf.range(count), key)
        return _even_batches(order, count, batch_size)

    return _fetch(tf.data.Dataset.counter(first_epoch).flat_map(epoch), arrays)


def evaluation_batches(*arrays, batch_size: int = EVALUATION_BATCH):
    """All images once, in order: a `tf.data.Dataset` on TensorFlow, else a Keras `PyDataset`.

    Args:
        *arrays: as for `training_batches`.
        batch_size: the same.
    """
    import keras

    count = len(arrays[0])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return _fetch(_even_batches(tf.range(count), count, batch_size), arrays)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return -(-count // batch_size)

        def __getitem__(self, batch):
            first = batch * batch_size
            return tuple(array[first : first + batch_size] for array in arrays)

    return Batches()


def _numpy_batches(arrays, batch_size, seed, epoch):
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(arrays[0]))
        for rows in np.array_split(order, -(-len(order) // batch_size)):
            yield tuple(array[rows] for array in arrays)
        epoch += 1


def _even_batches(rows, count, batch_size):
    """Rows, int32 [count], cut into as few batches as can be, none longer than batch_size."""
    import tensorflow as tf

    batches = -(-count // batch_size)
    numbers = tf.data.Dataset.range(batches)
    return numbers.map(lambda i: rows[count * i // batches : count * (i + 1) // batches])


def _fetch(batches_of_rows, arrays):
    """Puts the rows of each array in the place of their numbers."""
    import tensorflow as tf

    def fetcher(array):
        if not isinstance(array, StoredImages):
            values = tf.constant(array)
            return lambda rows: tf.gather(values, rows)

        def read(rows):
            images = tf.numpy_function(array.__getitem__, [rows], tf.uint8, stateful=False)
            return tf.ensure_shape(images, (None, *array.shape[1:]))

        return read

    fetchers = [fetcher(array) for array in arrays]
    dataset = batches_of_rows.map(lambda rows: tuple(fetch(rows) for fetch in fetchers))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # There is nothing to tune, and the thread that would may sleep for half a minute while Keras
    # waits for it to drop the iterator, as it does before each validation (TensorFlow 2.21).
    options.autotune.enabled = False
    return dataset.with_options(options).prefetch(2)
