"""Builds as users meet them: finished, repeated, killed, interrupted, without room.

A build of its own process group stands for the user's terminal.
"""

import contextlib
import fcntl
import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

import cli
from fer_tf.data import build as building
from fer_tf.data.build import build
from fer_tf.data.database import find_database
from fer_tf.data.face_cache import cached_faces
from fer_tf.data.near_duplicates import cached_near_duplicates
from fer_tf.data.tfds_builder import origin
from fer_tf.data.tfds_configs import config_for
from fer_tf.errors import UserError
from fer_tf.occlusion.occlude import occlude
from tests.helpers import draw_fer2013

ROOT = Path(cli.__file__).parent
BUILDERS = {name: f"datasets.{name}.{name}_dataset_builder" for name in ("concat_db", "bconcat_db")}


@pytest.fixture(scope="module")
def raw_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    draw_fer2013(folder / "fer2013", count_per_expression=10)
    return folder


def build_both(raw_dir, data_dir, **options):
    return dict(build(BUILDERS, config_for(["fer2013"]), raw_dir, data_dir, **options))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def data_dir(raw_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "tfds"
    build_both(raw_dir, folder, jobs=2)
    return folder


def test_databases_hold_the_cached_faces_with_their_part_black(raw_dir, data_dir):
    faces = cached_faces(["fer2013"], raw_dir, data_dir / "faces")
    for name, kind in (("concat_db", "upper"), ("bconcat_db", "lower")):
        folder = data_dir / name / "fer2013" / "1.0.0"
        splits = tfds.builder_from_directory(folder).as_dataset()
        examples = {e["id"].decode(): e for s in splits.values() for e in tfds.as_numpy(s)}
        assert sorted(examples) == faces.ids
        for id_, image in zip(faces.ids, faces.images, strict=True):
            np.testing.assert_array_equal(examples[id_]["image"][..., 0], occlude(image, kind))
    assert names(data_dir) == {".lock", "faces", "concat_db", "bconcat_db"}
    loaded = tfds.builder("concat_db/fer2013", data_dir=data_dir)
    assert loaded.info.splits.total_num_examples == 70


def test_a_second_build_finds_everything_ready_without_tensorflow(raw_dir, data_dir):
    code = f"""
import sys
from pathlib import Path
from fer_tf.data.build import build
from fer_tf.data.near_duplicates import cached_near_duplicates
from fer_tf.data.tfds_builder import origin
from fer_tf.data.tfds_configs import config_for
config = config_for(["fer2013"])
built = dict(build({BUILDERS}, config, Path({str(raw_dir)!r}), Path({str(data_dir)!r})))
print([(name, b.is_new, b.splits["train"]) for name, b in built.items()])
print("tensorflow" in sys.modules)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert printed == ["[('concat_db', False, 56), ('bconcat_db', False, 56)]", "False"]


def test_databases_of_other_files_give_way_only_to_rebuild(raw_dir, data_dir, tmp_path):
    folder = data_dir / "concat_db" / "fer2013" / "1.0.0"
    table = raw_dir / "fer2013" / "fer2013.csv"
    whole = table.read_text()
    before = json.loads((folder / "metadata.json").read_text())
    try:
        table.write_text("".join(whole.splitlines(keepends=True)[:-3]))
        with pytest.raises(UserError, match="other raw files.*--rebuild"):
            build_both(raw_dir, data_dir)
        assert json.loads((folder / "metadata.json").read_text()) == before
        built = build_both(raw_dir, data_dir, rebuild=True, jobs=1)
    finally:
        table.write_text(whole)
    assert [b.is_new for b in built.values()] == [True, True]
    assert sum(built["concat_db"].splits.values()) == 67
    assert find_database("concat_db", data_dir).read("train").images.shape[0] == 67 - 14
    assert names(data_dir) == {".lock", "faces", "concat_db", "bconcat_db"}


@pytest.mark.parametrize("name", ["metadata.json", "dataset_info.json"])
def test_a_damaged_database_gives_way_only_to_rebuild(raw_dir, data_dir, name):
    path = data_dir / "concat_db" / "fer2013" / "1.0.0" / name
    whole = path.read_bytes()
    try:
        for data in (b"", whole[:100], b"[]"):
            path.write_bytes(data)
            with pytest.raises(UserError, match="1.0.0 was .* or is damaged; give --rebuild"):
                build_both(raw_dir, data_dir)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "name", ["dataset_info.json", "features.json", "metadata.json", "*-test.tfrecord-*"]
)
def test_what_is_damaged_in_a_database_is_named(data_dir, tmp_path, name):
    copied = shutil.copytree(data_dir / "concat_db", tmp_path / "concat_db")
    database = find_database("concat_db", tmp_path)
    (path,) = (copied / "fer2013" / "1.0.0").glob(name)
    whole = path.read_bytes()
    # A record file of a few bytes is none at all to TensorFlow, and no test image was measured.
    for data in (b"", b"{", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(UserError, match="(damaged|no JSON).*build-datasets.*--rebuild"):
            database.read("test")
            database.fingerprint()


def test_databases_that_another_program_split_give_way_only_to_rebuild(
    raw_dir, data_dir, monkeypatch
):
    """A database is ready only if its images would stand on the same sides now."""
    for part in ("cache_keys", "program"):
        changed = lambda *a, part=part: origin(*a) | {part: "of a changed program"}  # noqa: E731
        with monkeypatch.context() as patch:
            patch.setattr(building, "origin", changed)
            with pytest.raises(UserError, match="another version of this program.*--rebuild"):
                build_both(raw_dir, data_dir)


def start(raw_dir, data_dir, **options):
    """The command in a process group of its own."""
    quiet = {name: v for name, v in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.Popen(
        [sys.executable, ROOT / "cli.py", "build-datasets", "--sources", "fer2013"]
        + ["--raw-dir", raw_dir, "--data-dir", data_dir, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=quiet,
        **options,
    )


@contextlib.contextmanager
def databases_begun_only(raw_dir, data_dir):
    """Meanwhile builds begin to write their databases and then wait for the near duplicates."""
    faces = cached_faces(["fer2013"], raw_dir, data_dir / "faces")
    folder = data_dir / "faces" / "near_duplicates"
    cached_near_duplicates(faces.images, folder)
    (path,) = folder.glob("*.lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wait_for(condition, seconds=600):
    """Waits; the limit is for what hangs, on a machine that does other work too."""
    ended = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ended, "waited in vain"
        time.sleep(0.02)


def processes_of(group: int) -> list[int]:
    processes = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            processes.append(int(path.parent.name))
    return processes


@pytest.fixture(scope="module")
def killed(raw_dir, tmp_path_factory):
    """A data directory whose build was killed while databases were being written."""
    data_dir = tmp_path_factory.mktemp("killed") / "tfds"
    with databases_begun_only(raw_dir, data_dir):
        process = start(raw_dir, data_dir)
        wait_for(lambda: any((data_dir / ".writing").glob("*/fer2013/incomplete*")))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        wait_for(lambda: not processes_of(process.pid))  # None goes on without its parent.
    return data_dir


def test_what_a_killed_build_leaves_is_no_database(killed):
    assert (killed / ".writing").is_dir()
    assert not list(killed.glob("*/fer2013/1.0.0"))
    with pytest.raises(UserError, match="concat_db is not prepared"):
        find_database("concat_db", killed)


def test_a_second_run_finishes_what_a_killed_one_began(raw_dir, killed):
    (killed / "faces" / "fer2013.writing-1").mkdir()  # As a kill while faces are read leaves it.
    process = start(raw_dir, killed)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert printed.count("Wrote ") == 3 and errors == ""
    for name in ("concat_db", "bconcat_db", "eye_cdb"):
        assert len(find_database(name, killed).read("test").ids) == 7
    assert names(killed) == {".lock", "faces", "concat_db", "bconcat_db", "eye_cdb"}
    assert names(killed / "faces") == {"fer2013", "near_duplicates"}


def test_ctrl_c_ends_with_a_sentence_and_leaves_no_process(raw_dir, tmp_path):
    data_dir = tmp_path / "tfds"
    # Tests run in a shell's background inherit that Ctrl-C is ignored.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with databases_begun_only(raw_dir, data_dir):
        process = start(raw_dir, data_dir, preexec_fn=heed)
        wait_for(lambda: any((data_dir / ".writing").glob("*/fer2013/incomplete*")))
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert errors.strip() == "Interrupted. The same command goes on with what is missing."
    wait_for(lambda: not processes_of(process.pid))  # Python's own tracker ends last.
    assert names(data_dir) == {".lock", "faces"}


@pytest.mark.parametrize("stage", ["faces", "databases"])
def test_no_room_is_one_sentence_and_nothing_half_written(raw_dir, tmp_path, stage):
    """A limit on the size of files fails writes as a full disk does."""
    data_dir = tmp_path / "tfds"
    if stage == "databases":
        cached_faces(["fer2013"], raw_dir, data_dir / "faces")
    process = start(
        raw_dir,
        data_dir,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1 and "File too large" in errors
    assert "make room or choose another --data-dir" in errors
    assert not list(data_dir.glob("*/fer2013/1.0.0")) and not (data_dir / ".writing").exists()
    assert names(data_dir / "faces") == (
        {"fer2013", "near_duplicates"} if stage == "databases" else set()
    )


def test_two_builds_do_not_work_in_one_directory(raw_dir, data_dir):
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="Another build is at work"):
            build_both(raw_dir, data_dir)


@pytest.mark.parametrize("reason", [PermissionError(13, "Permission denied"), None])
def test_a_directory_that_cannot_be_written(raw_dir, tmp_path, monkeypatch, reason):
    data_dir = tmp_path / "tfds"
    if reason is None:
        data_dir.write_text("a file in its place")
    else:  # A mock, because nothing is forbidden to the user root.

        def refuse(*_, **__):
            raise reason

        monkeypatch.setattr(building.Path, "mkdir", refuse)
    with pytest.raises(UserError, match="tfds cannot be written .*another --data-dir"):
        build_both(raw_dir, data_dir)
