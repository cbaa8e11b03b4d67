"""A runtime with its loaded models, which `serving_latency.py` times.

    python latency_worker.py RUNTIME SETUP.json

Runs under any Python that has the runtime: `tensorflow`, `c_api`, `openvino` or `onnxruntime`.
SETUP contains "images" (a .npy file, uint8 [N, 48, 48, 1]), "threads", "answers" (the .npy file for
the answers of model "one"), "library" (for `c_api`) and "models": name -> {"path": SavedModel or
ONNX file, "signature", and for `c_api` "input" and "outputs": names of tensors}. The worker prints
"ready VERSION"; for each input line "MODEL BATCH" it prints the seconds of one call.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np


def load_tensorflow(setup):
    import tensorflow as tf

    def load(path, signature, **_):
        function = tf.saved_model.load(path).signatures[signature]
        return lambda images: [v.numpy() for v in function(image=tf.constant(images)).values()]

    return load, tf.__version__


def load_c_api(setup):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.c_api import Model

    models = {}  # Signatures of one SavedModel share its session, as in a server.

    def load(path, input, outputs, **_):
        if path not in models:
            models[path] = Model(setup["library"], path)
        return lambda images: models[path].run(input, images, outputs)

    return load, "the same library"


def load_openvino(setup):
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": setup["threads"],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }

    def load(path, **_):
        compiled = openvino.Core().compile_model(path, "CPU", options)
        request = compiled.create_infer_request()
        return lambda images: [np.array(v) for v in request.infer([images]).values()]

    return load, openvino.__version__


def load_onnxruntime(setup):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup["threads"]
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def load(path, **_):
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        return lambda images: session.run(None, {"image": images})

    return load, onnxruntime.__version__


def main(runtime, setup):
    setup = json.loads(Path(setup).read_text())
    images = np.load(setup["images"])
    load, version = globals()[f"load_{runtime}"](setup)
    models = {name: load(**model) for name, model in setup["models"].items()}
    np.save(setup["answers"], models["one"](images)[0])
    print("ready", version, flush=True)
    for line in sys.stdin:
        name, batch = line.split()
        faces = images[: int(batch)]
        started = perf_counter()
        models[name](faces)
        print(perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
