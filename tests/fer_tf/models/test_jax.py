"""All five networks train on Keras' JAX backend with TensorFlow hidden."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fer_tf
from fer_tf.expressions import TASKS
from fer_tf.training.checkpoint import load_best

ROOT = Path(fer_tf.__file__).parents[1]

TRAIN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith("tensorflow"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
from pathlib import Path
import numpy as np
import keras
from fer_tf.training.checkpoint import load_best
from fer_tf.expressions import TASKS
from fer_tf.models.layers.path_selection import PathSelection
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network
from tests.networks import TINY_RECIPE
assert keras.backend.backend() == "jax"
folder = Path(sys.argv[1])
key = RunKey("concat_db", "drawn", "fingerprint", "upper", TINY_RECIPE)
images = np.random.default_rng(0).integers(0, 256, (20, 48, 48, 1)).astype("uint8")
outputs, networks = {}, {}
for name, task in TASKS.items():
    classes = (np.arange(20) % len(task.classes)).astype("int32")
    data = images, classes
    run = train_network(name, key, data, data, folder, TrainingSession(verbose=0))
    assert run.finished and run.best_validation_loss < 100 and run.backend == "jax"
    networks[name] = load_best(key.folder(folder, name))
    outputs[name] = networks[name].predict(images, verbose=0)
select = PathSelection(networks["begin"], [networks[f"subnet_{x}"] for x in "xyz"])
outputs["routed"] = np.array(select(images)["probabilities"])
assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow"]
np.savez(folder / "outputs.npz", images=images, **outputs)
"""


@pytest.mark.slow
def test_networks_trained_on_jax_give_equal_outputs_on_tensorflow(tmp_path):
    subprocess.run(
        [sys.executable, "-c", TRAIN, tmp_path],
        env=os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    outputs = np.load(tmp_path / "outputs.npz")
    for name in TASKS:
        network = load_best(tmp_path / "concat_db" / "drawn" / "tiny" / name)
        ours = network.predict(outputs["images"], verbose=0)
        np.testing.assert_allclose(ours, outputs[name], atol=1e-4)
    assert ((outputs["routed"] > 0).sum(-1) <= 3).all()
