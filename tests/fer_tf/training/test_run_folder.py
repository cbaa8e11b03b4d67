import dataclasses

import pytest

from fer_tf.errors import UserError
from fer_tf.records.run import RUN_FILE, is_finished, read_run, write_run
from fer_tf.training.checkpoint import STATE
from fer_tf.training.run_folder import beside, locked, open_run, run_name
from tests.networks import TINY_RECIPE
from tests.tiny_training import KEY, train


@pytest.fixture
def folder(tmp_path):
    """The folder of a run of `KEY` that is not there."""
    return KEY.folder(tmp_path, "subnet_y")


def begin_run(folder, key=KEY, **options):
    return open_run(folder, key.setup("subnet_y"), **options)


def test_a_new_run_records_its_setup_and_program(folder):
    run = begin_run(folder)
    assert not run.finished and not is_finished(folder)
    assert (run.database, run.config, run.network) == ("concat_db", "drawn", "subnet_y")
    assert (run.seed, run.occlusion, run.recipe.name) == (0, "upper", "tiny")
    assert run.packages["keras"] and run.python and run.begun
    assert begin_run(folder) == run
    write_run(folder, dataclasses.replace(run, finished=True))
    assert is_finished(folder) and begin_run(folder).finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {"dropout": 0.5}}, r"with recipe.dropout 0\.0, now it is 0\.5"),
        ({"fingerprint": "of others"}, "with data_fingerprint fingerprint, now it is of others"),
        ({"precision": "bfloat16"}, "with training_precision float32, now it is bfloat16"),
        ({"occlusion": "lower"}, "with occlusion upper, now it is lower"),
    ],
)
def test_a_run_of_another_setup_is_refused_and_kept(folder, changes, message):
    run = begin_run(folder)
    if recipe := changes.get("recipe"):
        changes = {"recipe": dataclasses.replace(TINY_RECIPE, **recipe)}
    other = dataclasses.replace(KEY, **changes)
    with pytest.raises(UserError, match=f"{message}; train again with --restart"):
        begin_run(folder, other)
    assert read_run(folder) == run
    (folder / STATE).touch()
    assert begin_run(folder, other, restart=True).begun >= run.begun
    assert [path.name for path in folder.iterdir()] == [RUN_FILE]


def test_a_run_of_another_partition_is_refused(folder, monkeypatch):
    begin_run(folder)
    other = {"A": ("Happiness", "Normal", "Sadness"), "B": ("Anger", "Fear"), "C": ("Surprise",)}
    monkeypatch.setattr("fer_tf.training.run_folder.PATHS", other)
    with pytest.raises(UserError, match="with paths.C"):
        begin_run(folder)


def test_an_unfinished_run_goes_on_with_the_backend_that_it_was_begun_with(folder):
    run = dataclasses.replace(begin_run(folder), backend="jax")
    write_run(folder, run)
    with pytest.raises(UserError, match="backend jax, now it is tensorflow.*KERAS_BACKEND=jax"):
        begin_run(folder)
    write_run(folder, dataclasses.replace(run, finished=True))
    assert begin_run(folder).backend == "jax"


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_run_file_is_named(folder, content):
    folder.mkdir(parents=True)
    (folder / RUN_FILE).write_text(content)
    for read in (is_finished, begin_run):
        with pytest.raises(UserError, match="run.json .* train again with --restart"):
            read(folder)
    assert not begin_run(folder, restart=True).finished


def test_a_run_file_of_another_program_is_refused(folder):
    folder.mkdir(parents=True)
    (folder / RUN_FILE).write_text("{}")
    with pytest.raises(UserError, match="with --restart"):
        begin_run(folder)


def test_a_killed_restart_does_not_continue_the_deleted_run(folder):
    begin_run(folder)
    (folder / STATE).touch()
    (folder / RUN_FILE).unlink()  # It goes first.
    begin_run(folder)
    assert [path.name for path in folder.iterdir()] == [RUN_FILE]


def test_files_of_a_killed_write_are_removed_when_the_run_continues(folder):
    run = begin_run(folder)
    (folder / STATE).touch()
    (folder / "writing-best.keras").touch()
    assert begin_run(folder) == run
    assert sorted(path.name for path in folder.iterdir()) == [RUN_FILE, STATE]


def test_a_folder_in_use_is_refused(tmp_path, folder):
    with locked(folder), pytest.raises(UserError, match="Another process trains in"):
        train(tmp_path)
    assert not list(folder.iterdir())
    with locked(folder):
        pass  # Free again.


def test_seeds_and_changed_recipes_have_folders_of_their_own(tmp_path):
    assert [run_name("quick", seed) for seed in (0, 7)] == ["quick", "quick-seed7"]
    assert beside(tmp_path / "quick", "-longer").name == "quick-longer"
    assert beside(tmp_path / "quick-seed7", "-longer").name == "quick-longer-seed7"
