import shutil

import numpy as np
import pytest
import tensorflow as tf

from fer_tf.errors import InputError
from fer_tf.versions import load_version, plain_path
from tests.networks import images_for


def answers(version):
    loaded = load_version(version)
    images = tf.constant(images_for([0, 1, 2]))
    return loaded.signatures["serving_default"](image=images)["probabilities"].numpy()


@pytest.mark.parametrize("name", ["[2024]", "a?b*", "back\\slash"])
def test_folders_whose_names_are_patterns(model, tmp_path, name):
    version = tmp_path / name / "1"
    shutil.copytree(model, version)
    shutil.copytree(model, tmp_path / "aXbc" / "1")  # Which one of the patterns matches.
    np.testing.assert_array_equal(answers(version), answers(model))
    with plain_path(version) as path:
        assert path.samefile(version)


def test_a_relative_path_below_such_a_folder(model, tmp_path, monkeypatch):
    shutil.copytree(model, tmp_path / "[a]" / "1")
    monkeypatch.chdir(tmp_path)
    with plain_path(tmp_path.__class__("[a]") / "1") as path:
        assert (path / "saved_model.pb").is_file()


@pytest.mark.parametrize("left", [0, 0.3, 0.999, None])
@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_a_version_that_was_copied_in_part(model, tmp_path, file, left):
    version = tmp_path / "1"
    shutil.copytree(model, version)
    data = (version / file).read_bytes()
    (version / file).unlink()
    if left is not None:
        (version / file).write_bytes(data[: int(left * len(data))])
    with pytest.raises(InputError) as caught:
        load_version(version)
    message = str(caught.value)
    assert message.startswith(f"{version} cannot be loaded (") and "\n" not in message
    assert message.endswith("Copy it again, or make it again with `python cli.py combine`.")
