"""The one TFDS builder behind concat_db, bconcat_db and eye_cdb, which differ in the occlusion.

It must not import our `datasets`: while TFDS loads a builder, a mock replaces that module name.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from fer_tf.data.cleaning import clean_faces
from fer_tf.data.config_names import DRAWN
from fer_tf.data.face_cache import FACES_DIR, cache_key, cached_faces, program_hash
from fer_tf.data.face_set import FaceSet
from fer_tf.data.inspection import inspect_faces
from fer_tf.data.inspection_report import INSPECTION_DIR, write_inspection
from fer_tf.data.near_duplicates import cached_near_duplicates
from fer_tf.data.sources import OFFICIAL_SOURCES, reader
from fer_tf.data.splits import SPLITS, assign_splits, find_groups
from fer_tf.data.tfds_configs import LISTED_CONFIGS, OccludedFacesConfig
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import DATABASES
from fer_tf.occlusion.occlude import occlude
from fer_tf.paper import differences

_PROGRAM = (
    *("data/near_duplicates.py", "data/cleaning.py", "data/face_groups.py", "data/splits.py"),
    *("data/tfds_builder.py", "data/tfds_configs.py"),
    *("occlusion/kinds.py", "occlusion/occlude.py"),
)
"""The files that decide which of the faces read are kept, their splits and what is black."""


class OccludedFaces(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Faces with one kind of occlusion; a subclass is named like a key of `DATABASES`.

    TFDS' manual_dir contains one folder for each source. `info.metadata` of a prepared database
    has "occlusion", "sources", "leak_free", "clean", "seed", "counts" (source -> images of each
    label), "table_1_differences" (sentences), "eyes_found" (images with 0, 1 and 2 found, or
    null), "dropped" (reason -> images), "data_fingerprint" (SHA-256 of the uncovered faces and
    the split of each, equal in the three databases), "image_fingerprint" (the same, except in
    eye_cdb, where the eye boxes are hashed too), and "cache_keys" and "program" (see `origin`).
    The folder `inspection` contains the report of `fer_tf.data.inspection`.

    Args:
        faces_dir: where the uncovered faces are cached; `faces` in data_dir when None.
        jobs: threads that read and find eyes; all cores when None.
        **kwargs: those of `tfds.core.DatasetBuilder`: data_dir, config, version.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "\n".join(
        [
            "Nothing is downloaded, and the config drawn needs nothing at all. For the others put",
            "your copies into one folder <raw-dir>, a sub-folder for each source:",
            *(f"- {reader(source).INSTRUCTIONS}" for source in OFFICIAL_SOURCES),
        ]
    )
    BUILDER_CONFIGS = LISTED_CONFIGS

    def __init__(self, *, faces_dir: str | Path | None = None, jobs: int | None = None, **kwargs):
        self._faces_dir = faces_dir
        self._jobs = jobs
        super().__init__(**kwargs)

    @property
    def occlusion(self) -> str:
        """Kind of occlusion, one of `fer_tf.occlusion.kinds.OCCLUSIONS`."""
        return DATABASES[self.name]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(FACE_SIZE, FACE_SIZE, 1), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(names=EXPRESSIONS),
                    "id": tfds.features.Text(),
                    "source": tfds.features.ClassLabel(names=(*OFFICIAL_SOURCES, DRAWN)),
                    "subject": tfds.features.Text(),
                    "eyes_found": tfds.features.Scalar(np.int32),
                }
            ),
            supervised_keys=("image", "label"),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        config = self.builder_config
        raw_dir = None if config.sources == (DRAWN,) else _raw_dir(dl_manager)
        faces_dir = Path(self._faces_dir or Path(self._data_dir_root) / FACES_DIR)
        faces = cached_faces(config.sources, raw_dir, faces_dir, self._jobs)
        differing = differences(_count(faces, config.sources))
        if differing and config.sources == OFFICIAL_SOURCES:
            raise UserError(
                f"{' '.join(differing)} The config {config.name} is the paper's 52,419 images: "
                "complete the archives, or name only some of the sources."
            )
        dropped = {}
        if config.clean:
            faces, dropped = clean_faces(faces)
        pairs = find_near_duplicates(faces, faces_dir)
        groups = find_groups(faces.images, faces.subjects, pairs) if config.leak_free else None
        splits = assign_splits(faces.labels, faces.ids, groups, config.seed)
        _refuse_empty(config, splits, sum(map(len, dropped.values())))
        inspection = inspect_faces(faces, splits, pairs, dropped)
        # TFDS renames its unfinished folder at the end, which publishes the inspection too.
        folder = Path(self.data_dir) / INSPECTION_DIR
        write_inspection(folder, inspection, faces, splits, self.occlusion)
        self.info.metadata.update(
            occlusion=self.occlusion,
            sources=list(config.sources),
            leak_free=config.leak_free,
            clean=config.clean,
            seed=config.seed,
            counts=_count(faces, config.sources),
            table_1_differences=differing,
            dropped={reason: len(ids) for reason, ids in dropped.items()},
            **self._eyes_and_fingerprints(faces, splits),
            **origin(config.sources, raw_dir),
        )
        return {
            name: self._generate_examples(faces, np.flatnonzero(splits == code))
            for code, name in enumerate(SPLITS)
        }

    def _eyes_and_fingerprints(self, faces: FaceSet, splits: np.ndarray) -> dict:
        """The metadata "eyes_found", "data_fingerprint" and "image_fingerprint"."""
        fingerprint = _fingerprint(faces, splits)
        if self.occlusion != "eyes":
            return {
                "eyes_found": None,
                "data_fingerprint": fingerprint,
                "image_fingerprint": fingerprint,
            }
        with_boxes = hashlib.sha256(fingerprint.encode() + faces.eye_boxes.tobytes())
        return {
            "eyes_found": np.bincount(faces.eyes_found, minlength=3).tolist(),
            "data_fingerprint": fingerprint,
            "image_fingerprint": with_boxes.hexdigest(),
        }

    def _generate_examples(self, faces: FaceSet, indices: np.ndarray) -> Iterator[tuple[str, dict]]:
        for index in indices:
            image = faces.images[index][..., np.newaxis]
            yield (
                faces.ids[index],
                {
                    "image": occlude(image, self.occlusion, faces.eye_boxes[index]),
                    "label": int(faces.labels[index]),
                    "id": faces.ids[index],
                    "source": faces.sources[index],
                    "subject": faces.subjects[index],
                    "eyes_found": (
                        int(faces.eyes_found[index]) if self.occlusion == "eyes" else -1
                    ),
                },
            )


def _refuse_empty(config: OccludedFacesConfig, splits: np.ndarray, dropped: int) -> None:
    counts = np.bincount(splits, minlength=len(SPLITS))
    if counts.all():
        return
    sizes = ", ".join(f"{name} {count}" for name, count in zip(SPLITS, counts, strict=True))
    left_out = f" ({dropped} more are left out by --clean)" if dropped else ""
    alone = ", from three persons or photographs at least" if config.leak_free else ""
    raise UserError(
        f"{config.name} has {len(splits)} images{left_out}, which gives {sizes}; each split needs "
        "one. A tenth of each expression, rounded, is validated and a tenth is tested, so 6 images "
        f"of one expression are needed at least{alone}: add images to {', '.join(config.sources)}."
    )


def _raw_dir(dl_manager: tfds.download.DownloadManager) -> Path:
    try:
        return Path(os.fspath(dl_manager.manual_dir))
    except AssertionError as error:  # TFDS raises it where the folder is missing or empty.
        raise UserError(f"No raw databases found: {error}") from error


def origin(sources: Sequence[str], raw_dir: Path | None) -> dict:
    """Describe what a database of some sources would be built from now.

    Returns:
        "cache_keys": source -> `fer_tf.data.face_cache.cache_key`; "program": hash of the modules
        that choose faces, split and blacken them.

    Raises:
        UserError: a source's folder is missing or malformed.
    """
    keys = {source: cache_key(source, raw_dir) for source in sources}
    return {"cache_keys": keys, "program": program_hash(_PROGRAM)}


def find_near_duplicates(faces: FaceSet, faces_dir: Path) -> np.ndarray:
    """Pairs of faces made from one photograph, int64 [K, 2]; cached beside the faces."""
    if all(faces.subjects):  # Every person is known, so that similar images decide nothing.
        return np.zeros((0, 2), np.int64)
    return cached_near_duplicates(faces.images, faces_dir / "near_duplicates")


def _count(faces: FaceSet, sources: Sequence[str]) -> dict[str, list[int]]:
    """Source -> images of each label."""
    counts = {source: [0] * len(EXPRESSIONS) for source in sources}
    for source, label in zip(faces.sources, faces.labels, strict=True):
        counts[source][label] += 1
    return counts


def _fingerprint(faces: FaceSet, splits: np.ndarray) -> str:
    """SHA-256 over names, labels, pixels and splits."""
    digest = hashlib.sha256()
    rows = zip(faces.ids, faces.labels, splits, faces.images, strict=True)
    for name, label, split, image in rows:
        digest.update(f"{name}\n{label}\n{SPLITS[split]}\n".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()
