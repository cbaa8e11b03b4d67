import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

import fer_tf
from fer_tf.data import face_cache
from fer_tf.data.face_cache import cache_key, cached_faces
from fer_tf.data.sources import OFFICIAL_SOURCES, fer2013, jaffe
from fer_tf.errors import UserError
from fer_tf.occlusion.eyes import find_eyes
from tests.helpers import draw_fer2013, draw_jaffe

PACKAGE = Path(fer_tf.__file__).parent


@pytest.fixture
def raw_dir(tmp_path):
    draw_fer2013(tmp_path / "raw" / "fer2013", count_per_expression=2)
    draw_jaffe(tmp_path / "raw" / "jaffe", persons=("KA",))
    return tmp_path / "raw"


def test_the_faces_of_all_sources_with_their_eyes_ordered_by_id(raw_dir, tmp_path):
    faces = cached_faces(["fer2013", "jaffe"], raw_dir, tmp_path / "faces")
    expected = [*fer2013.read(raw_dir / "fer2013"), *jaffe.read(raw_dir / "jaffe")]
    expected.sort(key=lambda face: face.id)
    assert faces.ids == [face.id for face in expected] == sorted(faces.ids)
    assert faces.sources == [face.source for face in expected]
    assert faces.subjects == [face.subject for face in expected]
    np.testing.assert_array_equal(faces.labels, [face.expression for face in expected])
    np.testing.assert_array_equal(faces.images, [face.image for face in expected])
    for image, boxes, count in zip(faces.images, faces.eye_boxes, faces.eyes_found, strict=True):
        expected_boxes, expected_count = find_eyes(image)
        np.testing.assert_array_equal(boxes, expected_boxes)
        assert count == expected_count


def test_the_number_of_threads_changes_nothing(raw_dir, tmp_path):
    one, three = (
        cached_faces(["jaffe"], raw_dir, tmp_path / f"faces{jobs}", jobs) for jobs in (1, 3)
    )
    assert one.ids == three.ids
    np.testing.assert_array_equal(one.images, three.images)
    np.testing.assert_array_equal(one.eye_boxes, three.eye_boxes)


def test_faces_are_read_again_only_when_files_or_program_changed(raw_dir, tmp_path):
    def times_read():
        with mock.patch.object(fer2013, "read", wraps=fer2013.read) as read:
            faces = cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
        assert len(faces) == len(list(fer2013.read(raw_dir / "fer2013")))
        return read.call_count

    assert [times_read(), times_read()] == [1, 0]
    table = raw_dir / "fer2013" / "fer2013.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    assert [times_read(), times_read()] == [1, 0]
    key = cache_key("fer2013", raw_dir) | {"program": "another"}
    with mock.patch.object(face_cache, "cache_key", lambda *_: key):
        assert [times_read(), times_read()] == [1, 0]


@pytest.mark.parametrize("source", [*OFFICIAL_SOURCES, "drawn"])
def test_the_key_names_every_module_that_reads_a_source_and_no_other(source):
    code = f"import sys, fer_tf.occlusion.eyes, fer_tf.data.sources.{source}; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names = [name.replace(".", "/") for name in imported.stdout.split() if "fer_tf." in name]
    files = {f"{name.removeprefix('fer_tf/')}.py" for name in names}
    files = {name for name in files if (PACKAGE / name).is_file()} - {"errors.py"}  # No package.
    assert set(face_cache.reading_program(source)) >= files | {"occlusion/eye_prior.npz"}
    allowed = {
        "faces/preprocessing.py",
        "data/sources/archive.py",
    }  # Which drawn and gray faces do not need.
    assert set(face_cache.reading_program(source)) <= files | {"occlusion/eye_prior.npz"} | allowed


def test_the_key_follows_the_files_that_it_names(tmp_path, monkeypatch):
    for name in face_cache.reading_program("jaffe"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((PACKAGE / name).read_bytes())
    monkeypatch.setattr(face_cache, "_PACKAGE", tmp_path)
    before = face_cache.program_hash(face_cache.reading_program("jaffe"))
    (tmp_path / "faces" / "pictures.py").write_text("# of no concern")
    assert face_cache.program_hash(face_cache.reading_program("jaffe")) == before
    with (tmp_path / "faces" / "preprocessing.py").open("a") as file:
        file.write("# changed")
    assert face_cache.program_hash(face_cache.reading_program("jaffe")) != before


def test_pixels_are_mapped_not_loaded(raw_dir, tmp_path):
    faces = cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
    assert isinstance(faces.images, np.memmap) and not faces.images.flags.writeable


@pytest.mark.parametrize("name", ["images.bin", "table.npz", "key.json"])
def test_a_damaged_cache_is_read_anew(raw_dir, tmp_path, name):
    before = cached_faces(["fer2013"], raw_dir, tmp_path / "faces").images.copy()
    path = tmp_path / "faces" / "fer2013" / name
    for data in (None, b"", path.read_bytes()[:-5]):
        path.unlink() if data is None else path.write_bytes(data)
        after = cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
        np.testing.assert_array_equal(after.images, before)


def test_a_failed_reading_keeps_the_cache_that_was_there(raw_dir, tmp_path):
    cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
    before = {path.name: path.read_bytes() for path in (tmp_path / "faces/fer2013").iterdir()}
    table = raw_dir / "fer2013" / "fer2013.csv"
    table.write_text(table.read_text()[:-40])
    with pytest.raises(UserError, match=r"fer2013\.csv, line 15"):
        cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
    assert [path.name for path in (tmp_path / "faces").iterdir()] == ["fer2013"]
    after = {path.name: path.read_bytes() for path in (tmp_path / "faces/fer2013").iterdir()}
    assert after == before


def test_a_cache_that_cannot_be_written_says_so(raw_dir, tmp_path):
    (tmp_path / "faces").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="fer2013 cannot be cached in .*another --data-dir"):
        cached_faces(["fer2013"], raw_dir, tmp_path / "faces")


def test_a_selection(raw_dir, tmp_path):
    faces = cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
    few = faces.select(np.array([3, 1]))
    assert few.ids == [faces.ids[3], faces.ids[1]] and len(few) == 2
    np.testing.assert_array_equal(few.images, faces.images[[3, 1]])
    np.testing.assert_array_equal(few.eye_boxes, faces.eye_boxes[[3, 1]])


def test_opencv_has_its_threads_back_after_a_success_and_a_failure(raw_dir, tmp_path):
    threads = 2
    cv2.setNumThreads(threads)
    cached_faces(["fer2013"], raw_dir, tmp_path / "faces")
    assert cv2.getNumThreads() == threads
    with mock.patch.object(face_cache, "find_eyes", side_effect=ZeroDivisionError):
        with pytest.raises(ZeroDivisionError):
            cached_faces(["jaffe"], raw_dir, tmp_path / "faces")
    assert cv2.getNumThreads() == threads


def test_processes_find_what_threads_find(raw_dir, tmp_path):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        by_processes = cached_faces(["jaffe"], raw_dir, tmp_path / "one", None, processes)
    by_threads = cached_faces(["jaffe"], raw_dir, tmp_path / "other")
    np.testing.assert_array_equal(by_processes.eye_boxes, by_threads.eye_boxes)
    np.testing.assert_array_equal(by_processes.eyes_found, by_threads.eyes_found)
