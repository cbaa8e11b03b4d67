import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.training.checkpoint import STATE, Checkpoint, epochs_done, load_best
from fer_tf.training.run_folder import BEST
from tests.networks import images_for


def model_with_checkpoint(folder: Path, units=2, **options):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5)])
    network.add(keras.layers.Dense(units))
    network.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    network.optimizer.build(network.trainable_variables)
    checkpoint = Checkpoint(network, folder, **options)
    checkpoint.set_model(network)
    return network, checkpoint


def step(network):
    network.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


def test_restores_weights_optimizer_seeds_and_best(tmp_path):
    network, checkpoint = model_with_checkpoint(tmp_path)
    step(network)
    checkpoint.on_epoch_end(0, {"val_loss": 2.0})
    checkpoint.on_epoch_end(1, {"val_loss": 3.0})
    other, restored = model_with_checkpoint(tmp_path)
    restored.restore(other)
    assert (restored.epochs_done, restored.best, restored.best_epoch) == (2, 2.0, 1)
    seeds = [v for v in network.variables if "seed" in v.path]
    assert seeds
    for ours, theirs in zip(
        [*other.variables, *other.optimizer.variables],
        [*network.variables, *network.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    # The next step, dropout included, is the same.
    step(network)
    step(other)
    np.testing.assert_array_equal(other.get_weights()[0], network.get_weights()[0])


def test_best_is_saved_only_when_better(tmp_path):
    network, checkpoint = model_with_checkpoint(tmp_path)
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    saved = (tmp_path / BEST).read_bytes()
    step(network)
    checkpoint.on_epoch_end(1, {"val_loss": 1.5})
    assert (tmp_path / BEST).read_bytes() == saved
    checkpoint.on_epoch_end(2, {"val_loss": 0.5})
    assert (tmp_path / BEST).read_bytes() != saved


def test_keeps_last_saves_every_epoch(tmp_path):
    network, checkpoint = model_with_checkpoint(tmp_path, keeps="last")
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    step(network)
    checkpoint.on_epoch_end(1, {"val_loss": 1.5})
    assert (checkpoint.best_epoch, checkpoint.best) == (2, 1.5)
    saved = keras.models.load_model(tmp_path / BEST, compile=False)
    np.testing.assert_array_equal(saved.get_weights()[0], network.get_weights()[0])


def test_an_interrupted_write_keeps_the_last_state(tmp_path, monkeypatch):
    network, checkpoint = model_with_checkpoint(tmp_path)
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})

    def half_written(out, **arrays):
        out.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half_written)
    with pytest.raises(OSError, match="No space"):
        checkpoint.on_epoch_end(1, {"val_loss": 1.0})
    _, restored = model_with_checkpoint(tmp_path)
    restored.restore(network)
    assert restored.epochs_done == 1


@pytest.mark.parametrize("keep", [0, 10, 700])
def test_a_damaged_state_is_named(tmp_path, keep):
    network, checkpoint = model_with_checkpoint(tmp_path)
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    path = tmp_path / STATE
    path.write_bytes(path.read_bytes()[:keep])
    for read in (lambda: checkpoint.restore(network), lambda: epochs_done(tmp_path)):
        with pytest.raises(UserError, match="state.npz is damaged .*--restart"):
            read()


def test_a_state_of_another_format_or_network_is_refused(tmp_path):
    _, checkpoint = model_with_checkpoint(tmp_path)
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    other, restored = model_with_checkpoint(tmp_path, units=5)
    with pytest.raises(UserError, match="another shape.*--restart"):
        restored.restore(other)
    with np.load(tmp_path / STATE) as state:
        arrays = dict(state)
    meta = json.loads(str(arrays["meta"])) | {"format": 99}
    np.savez(tmp_path / STATE, **arrays | {"meta": np.array(json.dumps(meta))})
    with pytest.raises(UserError, match="format 99.*--restart"):
        restored.restore(other)


LOAD = """
import sys
import fer_tf
assert not {"keras", "tensorflow", "numpy"} & sys.modules.keys()
import numpy as np
with np.load("images.npz") as file:
    np.save("outputs.npy", fer_tf.load_network("best.keras").predict(file["images"], verbose=0))
"""


def test_load_network_needs_no_other_import(networks, tmp_path):
    images = images_for([0, 1, 2])
    networks["subnet_x"].save(tmp_path / BEST)
    np.savez(tmp_path / "images.npz", images=images)
    subprocess.run([sys.executable, "-c", LOAD], cwd=tmp_path, check=True)
    expected = networks["subnet_x"].predict(images, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "outputs.npy"), expected, atol=1e-5)


def damaged(data, left):
    """A share of a file; with None one of its bytes is another."""
    if left is not None:
        return data[: int(left * len(data))]
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize("left", [0, 0.3, 0.999, None])
def test_incomplete_files_are_named(networks, tmp_path, left):
    networks["subnet_x"].save(tmp_path / BEST)
    network, checkpoint = model_with_checkpoint(tmp_path / "state")
    (tmp_path / "state").mkdir()
    checkpoint.on_epoch_end(0, {"val_loss": 2.0})
    for path, read in (
        (tmp_path / BEST, lambda: load_best(tmp_path)),
        (tmp_path / "state" / STATE, lambda: checkpoint.restore(network)),
    ):
        path.write_bytes(damaged(path.read_bytes(), left))
        with pytest.raises(UserError, match=f"{path.name} is damaged or was copied in part.*--res"):
            read()
    with pytest.raises(UserError, match="copied in part"):
        epochs_done(tmp_path / "state")
    (tmp_path / BEST).unlink()
    with pytest.raises(UserError, match=f"{BEST} is missing"):
        load_best(tmp_path)


def test_a_file_of_an_unknown_layer_is_refused_in_one_sentence(tmp_path):
    @keras.saving.register_keras_serializable(package="other")
    class Unknown(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    keras.Sequential([keras.Input((3,)), Unknown()]).save(tmp_path / BEST)
    del keras.saving.get_custom_objects()["other>Unknown"]
    with pytest.raises(
        UserError, match="is whole, but Keras .* cannot load it .*Unknown"
    ) as caught:
        load_best(tmp_path)
    assert "\n" not in str(caught.value)
