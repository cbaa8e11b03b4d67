"""Converts the all-paths form of a model for runtimes other than TensorFlow.

The routed form partitions the batch, which the other formats do not support. A converted model
takes `image` uint8 [N, 48, 48, 1] and has the outputs of the signature `all_paths`, by the same
names. The packages are extras: `pip install -e ".[formats]"`.
"""

import os
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.model_store import load_version, plain_path
from fer_tf.faces.face import FACE_SIZE

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "openvino": ".xml"}
"""Format -> suffix of its file; OpenVINO also writes the weights, into a `.bin` file."""

_PACKAGES = {"onnx": ("tf2onnx", "onnxruntime"), "litert": (), "openvino": ("openvino",)}

TOLERANCE = 1e-5
"""Largest allowed difference between a probability and the SavedModel's."""


def convert(version: Path, kind: str) -> Path:
    """Writes a version in another format next to its folder, e.g. `saved_models/concat_db/1.onnx`.

    Args:
        version: the SavedModel's folder.
        kind: a name in `SUFFIXES`.

    Returns:
        The file. Its outputs for random images, one and five at a time, equal the SavedModel's.

    Raises:
        UserError: if the format is unknown, its packages are not installed, its library cannot
            convert the model, or its outputs differ. Nothing is written then.
    """
    check_format(kind)
    write, load = {
        "onnx": (_write_onnx, _load_onnx),
        "litert": (_write_litert, _load_litert),
        "openvino": (_write_openvino, _load_openvino),
    }[kind]
    loaded = load_version(version)  # The signatures do not keep the weights alive.
    with tempfile.TemporaryDirectory(dir=version.parent, prefix="writing-") as folder:
        file = Path(folder) / f"{version.name}{SUFFIXES[kind]}"
        try:
            write(version, loaded, file)
        except Exception as error:  # Each library raises its own exceptions.
            reason = str(error).strip().split("\n")[0]
            raise UserError(f"{version} cannot be converted to {kind}: {reason}") from error
        _compare(loaded.signatures["all_paths"], load(file), kind)
        for part in sorted(Path(folder).glob(f"{version.name}.*")):
            os.replace(part, version.parent / part.name)
    return version.parent / file.name


def check_format(kind: str) -> None:
    """Refuses an unknown or unavailable format.

    Raises:
        UserError: if the format is unknown or its packages are not installed.
    """
    if kind not in SUFFIXES:
        raise UserError(f"No format is named {kind!r}; choose {', '.join(SUFFIXES)}.")
    for package in _PACKAGES[kind]:
        try:
            import_module(package)
        except ImportError as error:
            raise UserError(
                f"Format {kind} needs {package} ({error}): pip install -e '.[formats]'."
            ) from error


def _compare(signature, run, kind):
    """Refuses a function whose outputs, a dict, differ from those of the signature."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    for count in (1, 5):
        images = random.integers(0, 256, (count, FACE_SIZE, FACE_SIZE, 1), dtype=np.uint8)
        outputs = run(images)
        for name, expected in signature(image=tf.constant(images)).items():
            output, expected = np.asarray(outputs[name]), expected.numpy()
            if expected.dtype == object:
                same = [_text(value) for value in output] == [_text(value) for value in expected]
            else:
                same = np.allclose(output, expected, rtol=0, atol=TOLERANCE)
            if output.shape != expected.shape or not same:
                raise UserError(
                    f"Converted to {kind} the model returns another {name} than the SavedModel for "
                    f"{count} images; nothing was written. Use the SavedModel."
                )


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _write_onnx(version, loaded, file):
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = loaded.signatures["all_paths"]
    frozen = convert_variables_to_constants_v2(signature)
    (image,) = frozen.inputs
    names = dict(
        zip([t.name for t in frozen.outputs], sorted(signature.structured_outputs), strict=True)
    )
    tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[image.name],
        output_names=list(names),
        tensors_to_rename={image.name: "image"} | names,
        opset=17,
        output_path=str(file),
    )


def _load_onnx(file):
    from onnxruntime import InferenceSession

    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"image": images}), strict=True))


def _write_litert(version, loaded, file):
    import tensorflow as tf

    with plain_path(version) as path:
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(path), signature_keys=["all_paths"], tags={"serve"}
        )
        file.write_bytes(converter.convert())


def _load_litert(file):
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(file)).get_signature_runner("all_paths")
    return lambda images: runner(image=images)


def _write_openvino(version, loaded, file):
    import openvino
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:  # OpenVINO reads only the default signature.
        tf.saved_model.save(loaded, folder, signatures=loaded.signatures["all_paths"])
        model = openvino.convert_model(folder)
    openvino.save_model(model, file, compress_to_fp16=False)


def _load_openvino(file):
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # Otherwise bfloat16 where the CPU has it.
    model = openvino.Core().compile_model(file, "CPU", exact)

    def run(images):
        outputs = model({"image": images})
        return {output.any_name: outputs[output] for output in model.outputs}

    return run
