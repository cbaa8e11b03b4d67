import dataclasses
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

import fer_tf
from datasets.bconcat_db import bconcat_db_dataset_builder
from datasets.concat_db import concat_db_dataset_builder
from datasets.eye_cdb import eye_cdb_dataset_builder
from fer_tf.data import tfds_builder
from fer_tf.data.face_cache import cached_faces, reading_program
from fer_tf.data.inspection_report import read_inspection
from fer_tf.data.sources import drawn, reader
from fer_tf.data.splits import assign_splits, find_groups
from fer_tf.data.tfds_configs import config_for
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from tests.fer_tf.data.tfds_builder_case import few_drawn_faces
from tests.helpers import draw_fer2013, draw_jaffe

BUILDERS = {
    "concat_db": concat_db_dataset_builder.Builder,
    "bconcat_db": bconcat_db_dataset_builder.Builder,
    "eye_cdb": eye_cdb_dataset_builder.Builder,
}


def prepare(name, config, raw_dir, data_dir):
    builder = BUILDERS[name](data_dir=data_dir, config=config)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw_dir))
    return builder


def read(builder):
    """Id -> (split, example)."""
    return {
        example["id"].decode(): (split, example)
        for split in builder.info.splits
        for example in tfds.as_numpy(builder.as_dataset(split=split))
    }


@pytest.fixture(scope="module")
def raw_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    draw_fer2013(folder / "fer2013", count_per_expression=10)
    draw_jaffe(folder / "jaffe", persons=("KA", "KL"))
    return folder


@pytest.fixture(scope="module")
def data_dir(raw_dir, tmp_path_factory):
    """The three databases of FER2013 and JAFFE."""
    folder = tmp_path_factory.mktemp("data")
    for name in BUILDERS:
        prepare(name, config_for(["jaffe", "fer2013"]), raw_dir, folder)
    return folder


@pytest.fixture(scope="module")
def databases(data_dir):
    return {
        name: read(tfds.builder_from_directory(data_dir / name / "fer2013+jaffe" / "1.0.0"))
        for name in BUILDERS
    }


def test_a_face_is_the_readers_face_with_its_part_black(databases, raw_dir):
    faces = {
        face.id: face
        for source in ("fer2013", "jaffe")
        for face in reader(source).read(raw_dir / source)
    }
    black = {"concat_db": slice(0, 24), "bconcat_db": slice(24, 48)}
    for name, examples in databases.items():
        assert set(examples) == set(faces)
        for id_, (_, example) in examples.items():
            face, image = faces[id_], example["image"][..., 0]
            assert example["label"] == face.expression
            assert example["subject"].decode() == face.subject
            if name in black:
                assert not image[black[name]].any() and example["eyes_found"] == -1
                rest = np.delete(image, np.r_[black[name]], axis=0)
                np.testing.assert_array_equal(
                    rest, np.delete(face.image, np.r_[black[name]], axis=0)
                )
            else:
                changed = image != face.image
                assert not image[changed].any() and 0.02 < changed.mean() < 0.35
                assert example["eyes_found"] in (0, 1, 2)


def test_one_face_has_one_side_in_all_three(databases):
    sides = [{id_: split for id_, (split, _) in d.items()} for d in databases.values()]
    assert sides[0] == sides[1] == sides[2]


def test_validation_and_test_hold_a_tenth_of_each_label(databases):
    for split in ("validation", "test"):
        labels = [e["label"] for side, e in databases["concat_db"].values() if side == split]
        assert np.bincount(labels, minlength=7).tolist() == [1] * 7


def test_features_and_metadata_travel_with_the_folder(data_dir):
    builders = [
        tfds.builder_from_directory(data_dir / name / "fer2013+jaffe" / "1.0.0")
        for name in BUILDERS
    ]
    info = builders[2].info
    assert tuple(info.features["label"].names) == EXPRESSIONS
    assert info.features["source"].names == ["fer2013", "jaffe", "kdef", "raf_db", "drawn"]
    assert info.features["image"].shape == (48, 48, 1)
    assert info.supervised_keys == ("image", "label")
    assert sum(info.metadata["eyes_found"]) == 84
    assert info.metadata["counts"] == {"fer2013": [10] * 7, "jaffe": [2] * 7}
    assert len({b.info.metadata["data_fingerprint"] for b in builders}) == 1


def test_loads_by_name_once_the_builder_is_imported(data_dir):
    dataset = tfds.load(
        "concat_db/fer2013+jaffe", split="test", data_dir=data_dir, as_supervised=True
    )
    image, label = next(iter(dataset))
    assert image.shape == (48, 48, 1) and label.dtype.is_integer


def test_drawn_people_stay_on_one_side(tmp_path):
    with mock.patch.object(drawn, "read", few_drawn_faces):
        builder = prepare("concat_db", "drawn", tmp_path, tmp_path / "data")
    sides = {}
    for split, example in read(builder).values():
        sides.setdefault(example["subject"], set()).add(split)
    assert len(sides) == 10 and all(len(side) == 1 for side in sides.values())


def test_the_fingerprint_follows_the_faces_not_their_order(tmp_path):
    faces = list(few_drawn_faces())
    repainted = dataclasses.replace(faces[0], image=faces[0].image ^ 1)
    renamed = dataclasses.replace(faces[0], id="drawn/other")
    relabelled = dataclasses.replace(faces[0], expression=6)
    variants = {
        "same": faces,
        "reversed": faces[::-1],
        "repainted": [repainted, *faces[1:]],
        "renamed": [renamed, *faces[1:]],
        "relabelled": [relabelled, *faces[1:]],
    }
    prints = {}
    for name, variant in variants.items():
        with mock.patch.object(drawn, "read", lambda folder, map, v=variant: iter(v)):
            builder = prepare("concat_db", "drawn", tmp_path, tmp_path / name)
        prints[name] = builder.info.metadata["data_fingerprint"]
    assert prints["reversed"] == prints["same"]
    assert len(set(prints.values())) == 4


def test_the_fingerprint_follows_the_split_of_each_face(tmp_path):
    """Or networks would be tested on faces that trained them, and nobody would notice."""

    def prints_with(exchanged, name):
        def exchanging(*arguments):
            splits = assign_splits(*arguments)
            splits[exchanged] = splits[exchanged[::-1]]
            return splits

        with (
            mock.patch.object(drawn, "read", few_drawn_faces),
            mock.patch("fer_tf.data.tfds_builder.assign_splits", exchanging),
        ):
            metadata = prepare("eye_cdb", "drawn", tmp_path, tmp_path / name).info.metadata
        return metadata["data_fingerprint"], metadata["image_fingerprint"]

    with mock.patch.object(drawn, "read", few_drawn_faces):
        faces = cached_faces(["drawn"], None, tmp_path / "faces")
    splits = assign_splits(
        faces.labels, faces.ids, find_groups(faces.images, faces.subjects, np.zeros((0, 2), int))
    )
    sides = {
        prints_with([np.flatnonzero(splits == one)[0], np.flatnonzero(splits == other)[0]], f"{i}")
        for i, (one, other) in enumerate([(0, 0), (0, 1), (0, 2), (1, 2)])
    }
    assert len({data for data, _ in sides}) == len({images for _, images in sides}) == 4


@pytest.mark.parametrize(
    ("count", "leak_free", "clean", "message"),
    [
        (5, False, False, "5 images, which gives train 5, validation 0, test 0; .* 6 images"),
        (5, True, False, "validation 0.*three persons or photographs at least: add"),
        (20, False, True, r"fer2013-clean has 0 images \(20 more are left out by --clean\)"),
    ],
)
def test_too_few_images_for_a_split_are_counted(tmp_path, count, leak_free, clean, message):
    """As of the first rows of a table, to try it."""
    draw_fer2013(tmp_path / "raw" / "fer2013", count_per_expression=3)
    table = tmp_path / "raw" / "fer2013" / "fer2013.csv"
    header, *rows = table.read_text().splitlines()
    if clean:
        rows = [f"{row.partition(',')[0]},{' '.join(['7'] * 48**2)},Training" for row in rows]
    table.write_text("\n".join([header, *rows[:count]]) + "\n")
    config = config_for(["fer2013"], leak_free, clean)
    with pytest.raises(UserError, match=message):
        prepare("concat_db", config, tmp_path / "raw", tmp_path / "data")
    assert not list((tmp_path / "data").glob("concat_db/*/1.0.0"))


def test_six_images_of_one_expression_are_enough(tmp_path):
    draw_fer2013(tmp_path / "raw" / "fer2013", count_per_expression=6)
    table = tmp_path / "raw" / "fer2013" / "fer2013.csv"
    header, *rows = table.read_text().splitlines()
    happy = [row for row in rows if row.startswith("3,")]
    table.write_text("\n".join([header, *happy]) + "\n")
    builder = prepare("eye_cdb", "fer2013", tmp_path / "raw", tmp_path / "data")
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        **{"train": 4, "validation": 1, "test": 1}
    }


def test_the_papers_config_wants_the_papers_counts(tmp_path, raw_dir):
    faces = cached_faces(["fer2013", "jaffe"], raw_dir, tmp_path / "faces")
    with mock.patch("fer_tf.data.tfds_builder.cached_faces", lambda *_: faces):
        with mock.patch("fer_tf.data.tfds_builder._count", lambda faces, sources: COUNTS):
            with pytest.raises(UserError, match="(?s)fer2013.*Happiness.*kdef.*complete"):
                prepare("concat_db", "paper", raw_dir, tmp_path)
    assert not list(tmp_path.glob("concat_db/paper/1.0.0"))


COUNTS = {"fer2013": [10] * 7, "jaffe": [2] * 7, "kdef": [0] * 7, "raf_db": [0] * 7}


def test_clean_drops_blank_images_and_conflicting_labels(tmp_path):
    faces = list(few_drawn_faces())
    faces[5] = dataclasses.replace(faces[5], image=np.full((48, 48), 90, np.uint8))
    faces[20] = dataclasses.replace(faces[20], image=faces[3].image)
    assert faces[20].expression != faces[3].expression
    faces[40] = dataclasses.replace(faces[47], id=faces[40].id)  # A copy with the same label.
    with mock.patch.object(drawn, "read", lambda folder, map: iter(faces)):
        config = config_for(["drawn"], clean=True)
        builder = prepare("bconcat_db", config, tmp_path, tmp_path)
    kept = {face.id for face in faces} - {faces[index].id for index in (3, 5, 20)}
    assert set(read(builder)) == kept
    assert builder.info.metadata["dropped"] == {"blank": 1, "conflicting labels": 2}
    assert builder.builder_config.name == "drawn-clean"
    report = read_inspection(Path(builder.data_dir))
    assert report.images == 67 and report.blank == []


def test_the_inspection_is_published_with_the_database(data_dir):
    for name in BUILDERS:
        folder = data_dir / name / "fer2013+jaffe" / "1.0.0"
        report = read_inspection(folder)
        assert report.sources["jaffe"].counts == [2] * 7
        assert report.splits["test"].counts == [1] * 7
        assert (folder / "inspection" / "figure_1.png").stat().st_size > 10_000


def test_only_black_eyes_change_the_fingerprint_of_the_images(tmp_path):
    """A database with the same faces under other boxes is another one to train on."""
    prints = {}
    for name in ("eye_cdb", "concat_db"):
        for shift in (0, 1):
            data_dir = tmp_path / f"{name}{shift}"
            eyes = (np.array([[8 + shift, 12, 13, 13], [27, 12, 13, 13]]), 2)
            with (
                mock.patch.object(drawn, "read", few_drawn_faces),
                mock.patch("fer_tf.data.face_cache.find_eyes", lambda image, eyes=eyes: eyes),
            ):
                metadata = prepare(name, "drawn", tmp_path, data_dir).info.metadata
            prints[name, shift] = metadata["image_fingerprint"], metadata["data_fingerprint"]
    assert prints["eye_cdb", 0][0] != prints["eye_cdb", 1][0]
    assert prints["concat_db", 0] == prints["concat_db", 1]
    assert len({data for _, data in prints.values()}) == 1


def test_the_origin_names_every_module_that_cleans_splits_and_blackens():
    modules = "fer_tf.data.cleaning, fer_tf.data.splits, fer_tf.occlusion.occlude"
    code = f"import sys, {modules}; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names = [name.replace(".", "/") for name in imported.stdout.split() if "fer_tf." in name]
    files = {f"{name.removeprefix('fer_tf/')}.py" for name in names}
    files = {name for name in files if (Path(fer_tf.__file__).parent / name).is_file()}
    no_decision = {"errors.py", "data/face_set.py"}
    assert files - no_decision <= {*tfds_builder._PROGRAM, *reading_program("fer2013")}


@pytest.mark.parametrize(
    ("sources", "leak_free", "clean", "name"),
    [
        (["drawn"], False, False, "drawn"),
        (["fer2013"], True, False, "fer2013-leakfree"),
        (["fer2013"], False, True, "fer2013-clean"),
        (["raf_db", "kdef"], False, False, "kdef+raf_db"),
        (["raf_db", "kdef", "jaffe", "fer2013"], True, False, "paper-leakfree"),
        (["raf_db", "kdef", "jaffe", "fer2013"], True, True, "paper-leakfree-clean"),
    ],
)
def test_configs_are_named_after_their_sources_in_order(sources, leak_free, clean, name):
    config = config_for(sources, leak_free, clean)
    assert (config.name, config.clean) == (name, clean)


@pytest.mark.parametrize("sources", [[], ["ferplus"], ["drawn", "fer2013"]])
def test_other_sources_are_refused_with_the_known_ones(sources):
    with pytest.raises(UserError, match="fer2013, jaffe, kdef, raf_db, or drawn alone"):
        config_for(sources)


def test_missing_archives_are_answered_with_how_they_are_obtained(tmp_path):
    builder = concat_db_dataset_builder.Builder(data_dir=tmp_path / "data", config="fer2013")
    raw_dir = tmp_path / "raw"
    raw_dir.mkdir()
    (raw_dir / "other.txt").write_text("not a database")
    with pytest.raises(UserError, match="(?s)fer2013.*is not there.*Kaggle"):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=raw_dir)
        )
