import json
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_tf.checkpoint import BEST, STATE, Checkpoint, epochs_done
from fer_tf.errors import InputError


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


def test_the_last_network_is_kept_where_the_recipe_wants_it(tmp_path):
    network, checkpoint = model_with_checkpoint(tmp_path, keeps="last")
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    step(network)
    checkpoint.on_epoch_end(1, {"val_loss": 1.5})
    assert (checkpoint.best_epoch, checkpoint.best) == (2, 1.5)
    saved = keras.models.load_model(tmp_path / BEST, compile=False)
    np.testing.assert_array_equal(saved.get_weights()[0], network.get_weights()[0])


def test_a_write_that_breaks_off_leaves_the_last_state(tmp_path, monkeypatch):
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
        with pytest.raises(InputError, match="state.npz is damaged .*--restart"):
            read()


def test_a_state_of_another_format_or_network_is_refused(tmp_path):
    _, checkpoint = model_with_checkpoint(tmp_path)
    checkpoint.on_epoch_end(0, {"val_loss": 1.0})
    other, restored = model_with_checkpoint(tmp_path, units=5)
    with pytest.raises(InputError, match="another shape.*--restart"):
        restored.restore(other)
    with np.load(tmp_path / STATE) as state:
        arrays = dict(state)
    meta = json.loads(str(arrays["meta"])) | {"format": 99}
    np.savez(tmp_path / STATE, **arrays | {"meta": np.array(json.dumps(meta))})
    with pytest.raises(InputError, match="format 99.*--restart"):
        restored.restore(other)
