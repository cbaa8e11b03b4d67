"""The one TFDS builder behind concat_db, bconcat_db and eye_cdb, which differ in the occlusion.

It must not import our `datasets`: while TFDS loads a builder it puts a mock in that name's place.
"""

import dataclasses
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from rich.progress import track

from fer_tf.errors import InputError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import FACE_SIZE, Face
from fer_tf.occlusion import DATABASES, find_all_eyes, occlude
from fer_tf.sources import OFFICIAL_SOURCES, reader
from fer_tf.splits import SPLITS, assign_splits
from fer_tf.table_1 import differences

DRAWN = "drawn"
LEAK_FREE_SUFFIX = "-leakfree"


@dataclasses.dataclass(eq=False, kw_only=True)
class OccludedFacesConfig(tfds.core.BuilderConfig):
    """What a database is made of; `config_for` makes one.

    Attributes:
        sources: which sources are merged, in the order of `fer_tf.sources.OFFICIAL_SOURCES`.
        leak_free: whether the splits keep persons and near-identical images together.
        seed: of the splits.
    """

    sources: tuple[str, ...]
    leak_free: bool
    seed: int = 0


def config_for(sources: Sequence[str], leak_free: bool = False) -> OccludedFacesConfig:
    """Choose or make the config of some sources.

    Args:
        sources: "drawn" alone, or one or more official sources in any order.
        leak_free: see `OccludedFacesConfig`. Drawn faces, whose persons are known, are always
            split so, and the config is called "drawn" either way.

    Returns:
        The listed config where there is one (TFDS refuses a second object of its name), else a
        new one named after its sources: "fer2013+raf_db", "kdef-leakfree".

    Raises:
        InputError: no source, an unknown one, or drawn faces among real ones.
    """
    name, sources, leak_free = _named(sources, leak_free)
    for config in OccludedFaces.BUILDER_CONFIGS:
        if config.name == name:
            return config
    return _make_config(name, sources, leak_free)


def _named(sources: Sequence[str], leak_free: bool) -> tuple[str, tuple[str, ...], bool]:
    """Name of the config, its sources in order, and whether it is leak-free."""
    wanted = set(sources)
    if wanted == {DRAWN}:
        return DRAWN, (DRAWN,), True
    ordered = tuple(source for source in OFFICIAL_SOURCES if source in wanted)
    if not wanted or len(ordered) != len(wanted):
        raise InputError(
            f"Sources {', '.join(sources) or '(none)'} received; choose one or more of "
            f"{', '.join(OFFICIAL_SOURCES)}, or {DRAWN} alone."
        )
    name = "paper" if ordered == OFFICIAL_SOURCES else "+".join(ordered)
    return name + LEAK_FREE_SUFFIX * leak_free, ordered, leak_free


def _make_config(name: str, sources: tuple[str, ...], leak_free: bool) -> OccludedFacesConfig:
    how = "by person and look-alike" if leak_free else "image by image, as the paper does"
    description = f"Faces of {', '.join(sources)}, split {how}."
    return OccludedFacesConfig(
        name=name, sources=sources, leak_free=leak_free, description=description
    )


class OccludedFaces(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Faces with one kind of occlusion; a subclass is named like a key of `DATABASES`.

    TFDS' manual_dir holds one folder for each source. `info.metadata` of a prepared database has
    "occlusion", "sources", "leak_free", "seed", "counts" (source -> images of each label),
    "table_1_differences" (sentences), "eyes_found" (images with 0, 1 and 2 found, or null) and
    "data_fingerprint" (SHA-256 of the uncovered faces, equal in the three databases).

    Args:
        jobs: threads that search eyes; all cores when None.
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
    BUILDER_CONFIGS = [
        _make_config(*_named(sources, leak_free))
        for sources, leak_free in [
            ([DRAWN], True),
            (["fer2013"], False),
            (["fer2013"], True),
            (OFFICIAL_SOURCES, False),
            (OFFICIAL_SOURCES, True),
        ]
    ]

    def __init__(self, *, jobs: int | None = None, **kwargs):
        self._jobs = jobs
        super().__init__(**kwargs)

    @property
    def occlusion(self) -> str:
        """Kind of occlusion, one of `fer_tf.occlusion.OCCLUSIONS`."""
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
        faces = _read_faces(config.sources, dl_manager)
        images = np.stack([face.image for face in faces])
        labels = np.array([face.expression for face in faces])
        counts = _count(faces, config.sources)
        differing = differences(counts)
        if differing and config.sources == OFFICIAL_SOURCES:
            raise InputError(
                f"{' '.join(differing)} The config {config.name} is the paper's 52,419 images: "
                "complete the archives, or name only some of the sources."
            )
        for sentence in differing:
            print(f"Note: {sentence}")

        splits = assign_splits(
            images,
            labels,
            [face.id for face in faces],
            [face.subject for face in faces],
            config.leak_free,
            config.seed,
        )
        boxes, found = None, None
        if self.occlusion == "eyes":
            boxes, found = find_all_eyes(images, self._jobs)
        self.info.metadata.update(
            occlusion=self.occlusion,
            sources=list(config.sources),
            leak_free=config.leak_free,
            seed=config.seed,
            counts=counts,
            table_1_differences=differing,
            eyes_found=None if found is None else np.bincount(found, minlength=3).tolist(),
            data_fingerprint=_fingerprint(faces),
        )
        return {
            name: self._generate_examples(faces, np.flatnonzero(splits == code), boxes, found)
            for code, name in enumerate(SPLITS)
        }

    def _generate_examples(
        self,
        faces: Sequence[Face],
        indices: np.ndarray,
        boxes: np.ndarray | None,
        found: np.ndarray | None,
    ) -> Iterator[tuple[str, dict]]:
        for index in indices:
            face = faces[index]
            face_boxes = None if boxes is None else boxes[index]
            yield (
                face.id,
                {
                    "image": occlude(face.image[..., np.newaxis], self.occlusion, face_boxes),
                    "label": face.expression,
                    "id": face.id,
                    "source": face.source,
                    "subject": face.subject,
                    "eyes_found": -1 if found is None else int(found[index]),
                },
            )


def _read_faces(sources: Sequence[str], dl_manager: tfds.download.DownloadManager) -> list[Face]:
    """All faces of the sources, ordered by their ids."""
    faces = []
    for source in sources:
        folder = None if source == DRAWN else _raw_dir(dl_manager) / source
        rows = reader(source).read(folder)
        faces.extend(track(rows, f"Reading {source}", disable=not sys.stdout.isatty()))
    return sorted(faces, key=lambda face: face.id)


def _raw_dir(dl_manager: tfds.download.DownloadManager) -> Path:
    try:
        return Path(os.fspath(dl_manager.manual_dir))
    except AssertionError as error:  # TFDS' way to say that it is missing or empty
        raise InputError(f"No raw databases found: {error}") from error


def _count(faces: Sequence[Face], sources: Sequence[str]) -> dict[str, list[int]]:
    counts = {source: [0] * len(EXPRESSIONS) for source in sources}
    for face in faces:
        counts[face.source][face.expression] += 1
    return counts


def _fingerprint(faces: Sequence[Face]) -> str:
    """SHA-256 over names, labels and pixels of faces ordered by their names."""
    digest = hashlib.sha256()
    for face in faces:
        digest.update(f"{face.id}\n{face.expression}\n".encode())
        digest.update(np.ascontiguousarray(face.image).tobytes())
    return digest.hexdigest()
