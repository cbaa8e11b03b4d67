import shutil

import numpy as np
import pytest
import tensorflow as tf

from fer_tf.errors import UserError
from fer_tf.export import model_store as versions
from fer_tf.export.model_store import (
    find_versions,
    load_version,
    newest_versions,
    place_pretrained,
    plain_path,
)
from fer_tf.inference.predict import find_model
from tests.networks import images_for


@pytest.fixture
def pretrained(tmp_path, monkeypatch):
    """The folder of a model that comes with the program."""
    folder = tmp_path / "pretrained"
    make(folder, "any_occlusion/3")
    monkeypatch.setattr(versions, "PRETRAINED", folder)
    return folder


def make(folder, *names):
    for name in names:
        (folder / name / "variables").mkdir(parents=True)
        (folder / name / "saved_model.pb").write_text(f"of {folder.name}")


def test_versions_are_in_the_order_of_their_numbers(tmp_path):
    make(tmp_path, "10", "9", "writing-1")
    (tmp_path / "11").write_text("a file")
    assert [path.name for path in find_versions(tmp_path)] == ["9", "10"]


def test_a_model_of_the_user_replaces_the_pretrained_one_of_its_name(tmp_path, pretrained):
    models_dir = tmp_path / "own"
    assert newest_versions(models_dir) == {"any_occlusion": pretrained / "any_occlusion" / "3"}
    make(models_dir, "any_occlusion/1", "any_occlusion/2", "concat_db/1")
    expected = {
        name: models_dir / name / number
        for name, number in [("any_occlusion", "2"), ("concat_db", "1")]
    }
    assert newest_versions(models_dir) == expected


def test_the_default_is_the_users_only_model_or_else_any_occlusion(tmp_path, pretrained):
    models_dir = tmp_path / "own"
    assert find_model(None, models_dir) == pretrained / "any_occlusion" / "3"
    make(models_dir, "concat_db/1")
    assert find_model(None, models_dir) == models_dir / "concat_db" / "1"
    assert find_model("any_occlusion", models_dir) == pretrained / "any_occlusion" / "3"
    make(models_dir, "eye_cdb/1")
    with pytest.raises(
        UserError, match="any_occlusion, concat_db, eye_cdb; choose one with --name"
    ):
        find_model(None, models_dir)
    make(models_dir, "any_occlusion/1")
    assert find_model(None, models_dir) == models_dir / "any_occlusion" / "1"
    with pytest.raises(UserError, match="not 'bconcat_db'"):
        find_model("bconcat_db", models_dir)


def test_without_a_model_the_message_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "PRETRAINED", tmp_path / "none")
    with pytest.raises(UserError, match="holds no model.*train all"):
        find_model(None, tmp_path)


def test_the_pretrained_model_is_copied_once(tmp_path, pretrained):
    models_dir = tmp_path / "own"
    (copy,) = place_pretrained(models_dir)
    assert copy == models_dir / "any_occlusion" / "3"
    assert (copy / "saved_model.pb").read_text() == "of pretrained"
    assert [path.name for path in (models_dir / "any_occlusion").iterdir()] == ["3"]
    (copy / "saved_model.pb").write_text("changed")
    assert place_pretrained(models_dir) == []
    assert (copy / "saved_model.pb").read_text() == "changed"


def answers(version):
    loaded = load_version(version)
    images = tf.constant(images_for([0, 1, 2]))
    return loaded.signatures["serving_default"](image=images)["probabilities"].numpy()


@pytest.mark.parametrize("name", ["[2024]", "a?b*", "back\\slash"])
def test_a_version_in_a_folder_named_like_a_pattern_is_loaded(model, tmp_path, name):
    version = tmp_path / name / "1"
    shutil.copytree(model, version)
    shutil.copytree(model, tmp_path / "aXbc" / "1")  # Which one of the patterns matches.
    np.testing.assert_array_equal(answers(version), answers(model))
    with plain_path(version) as path:
        assert path.samefile(version)


def test_a_relative_path_in_such_a_folder_is_loaded(model, tmp_path, monkeypatch):
    shutil.copytree(model, tmp_path / "[a]" / "1")
    monkeypatch.chdir(tmp_path)
    with plain_path(tmp_path.__class__("[a]") / "1") as path:
        assert (path / "saved_model.pb").is_file()


@pytest.mark.parametrize("left", [0, 0.3, 0.999, None])
@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_an_incomplete_version_is_refused(model, tmp_path, file, left):
    version = tmp_path / "1"
    shutil.copytree(model, version)
    data = (version / file).read_bytes()
    (version / file).unlink()
    if left is not None:
        (version / file).write_bytes(data[: int(left * len(data))])
    with pytest.raises(UserError) as caught:
        load_version(version)
    message = str(caught.value)
    assert message.startswith(f"{version} cannot be loaded (") and "\n" not in message
    assert message.endswith("Copy it again, or make it again with `python cli.py combine`.")
