import subprocess
import sys
import tempfile
import threading

import pytest

from fer_tf import files
from fer_tf.errors import UserError
from fer_tf.files import exclusive, read_json, require, write_json, written_beside


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, so no JSON .*; mend it"),
        (b'{"a": [1, ', "is no JSON .*; mend it"),
        (b"\xff\xfe{\x00", "is no JSON .*; mend it"),
        (b"[1]", "holds list, an object expected; mend it"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, content, message):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=f"run.json {message}") as refusal:
        read_json(tmp_path / "run.json", "mend it")
    assert len(str(refusal.value).splitlines()) == 1


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "run.json").mkdir()  # Nothing is forbidden to the user root.
    with pytest.raises(UserError, match=r"run.json cannot be read \(Is a directory\)"):
        read_json(tmp_path / "run.json", "mend it")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json", "mend it")


def test_what_another_version_did_not_write_is_named(tmp_path):
    with pytest.raises(UserError, match="run.json lacks b, c, so another version .*; mend it"):
        require({"a": 1}, ("a", "b", "c"), tmp_path / "run.json", "mend it")


@pytest.fixture(params=["flock", "filelock"])
def lock(request, monkeypatch, tmp_path):
    """Both kinds of lock; `filelock` is what Windows has."""
    if request.param == "filelock":
        monkeypatch.setattr(files, "fcntl", None)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path.parent))
    return request.param


def test_changes_made_at_once_are_all_kept(tmp_path, lock):
    path = tmp_path / "counts.json"
    write_json(path, {})

    def add(name):
        with exclusive(tmp_path):
            write_json(path, read_json(path, "") | {name: 1})

    threads = [threading.Thread(target=add, args=(f"{i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_json(path, "")) == 20
    assert [each.name for each in tmp_path.iterdir()] == ["counts.json"]


# Locks a folder in a process of its own, which is then killed.
LOCK = """
import sys, tempfile, time
from pathlib import Path
from fer_tf import files
if sys.argv[2] == "filelock":
    files.fcntl, tempfile.tempdir = None, str(Path(sys.argv[1]).parent)
with files.exclusive(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_lock_keeps_others_out_and_ends_with_its_process(tmp_path, lock):
    command = [sys.executable, "-c", LOCK, tmp_path, lock]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError), exclusive(tmp_path, wait=False):
            pass
        process.kill()
    with exclusive(tmp_path, wait=False):
        assert not list(tmp_path.iterdir())


def test_two_may_write_one_file_at_once(tmp_path):
    """The last one to end wins; none meets half of the other's file, or none at all."""
    path = tmp_path / "answers.csv"
    with written_beside(path) as one:
        one.write(b"one")
        with written_beside(path) as other:
            other.write(b"the other")
        assert path.read_bytes() == b"the other"
    assert path.read_bytes() == b"one"
    assert [each.name for each in tmp_path.iterdir()] == ["answers.csv"]


def test_a_long_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".csv")
    with written_beside(path) as out:
        out.write(b"1")
    assert path.read_bytes() == b"1"
