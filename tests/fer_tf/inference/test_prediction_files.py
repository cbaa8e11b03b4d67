import os
import threading
from pathlib import Path

import pytest

from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.inference.outputs import predictions_table
from fer_tf.inference.prediction import Prediction
from fer_tf.inference.prediction_files import output_file
from fer_tf.terminal import console


def write(path, data=b"new"):
    with output_file(path) as out:
        out.write(data)


def test_a_link_stays_and_leads_to_what_was_written(tmp_path):
    (tmp_path / "store").mkdir()
    for name, target in (("there.csv", "old"), ("broken.csv", None)):
        if target:
            (tmp_path / "store" / name).write_text(target)
        link = tmp_path / name
        link.symlink_to(tmp_path / "store" / name)

        write(link)

        assert link.is_symlink() and (tmp_path / "store" / name).read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("writing-*")) == []


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()

    write(pipe)

    reader.join(10)
    assert received == [b"new"] and pipe.is_fifo()


def test_a_descriptor_goes_on_where_it_is(tmp_path):
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"before ")
        write(Path(f"/dev/fd/{out.fileno()}"))
        out.write(b" after")

    assert (tmp_path / "out").read_bytes() == b"before new after"


def test_a_folder_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(UserError, match="cannot be written .Is a directory"):
        with output_file(tmp_path):
            pytest.fail("begun")


@pytest.mark.parametrize("name", ["[final].jpg", "set [/a].jpg", ":smile:.jpg", "[bold]a[/].jpg"])
def test_names_are_no_markup(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    paths, labels = dict.fromkeys(PATHS, 0.0), dict.fromkeys(EXPRESSIONS, 0.0)
    answer = Prediction(name, None, EXPRESSIONS[0], 0, 0.5, "A", paths, labels)

    console().print(predictions_table([answer]))

    assert name in capsys.readouterr().out
