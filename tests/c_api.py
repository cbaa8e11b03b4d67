"""Loads and runs a SavedModel through TensorFlow's C library alone, as a server does.

It reads what `tf.saved_model.load` does not: the main graph, the operation that restores the
variables and the tensors that signatures name. Run as a program it needs NumPy and the library's
file, and imports no TensorFlow:

    python c_api.py LIBRARY MODEL REQUESTS.npz ANSWERS.npz

MODEL is a version's folder; REQUESTS holds arrays named "SIGNATURE/BATCH", uint8, float32 or object
(of bytes), and "signatures": JSON, what `tensor_names` returns. ANSWERS holds
"SIGNATURE/BATCH/OUTPUT", or "SIGNATURE/BATCH/error" with the message where the request failed.
"""

import ctypes
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

UINT8, FLOAT, INT32, STRING = 4, 1, 3, 7  # TF_DataType
NUMBERS = {UINT8: np.uint8, FLOAT: np.float32, INT32: np.int32}
STRING_SIZE = 24  # sizeof(TF_TString)

_RETURNED = {
    ctypes.c_void_p: "TF_NewStatus TF_NewGraph TF_NewSessionOptions TF_LoadSessionFromSavedModel "
    "TF_GraphOperationByName TF_AllocateTensor TF_TensorData TF_StringGetDataPointer",
    ctypes.c_char_p: "TF_Message",
    ctypes.c_size_t: "TF_StringGetSize TF_TensorByteSize",
    ctypes.c_int64: "TF_Dim",
}


class Output(ctypes.Structure):
    """TF_Output: a tensor in the graph."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Failed(Exception):
    """TensorFlow's own message of what went wrong."""


class Model:
    """A SavedModel in a session of the C library; see `close`.

    Args:
        library: the file of `find_library`.
        folder: the version's folder.

    Raises:
        Failed: if it cannot be loaded.
    """

    def __init__(self, library: Path | str, folder: Path | str):
        self.tf = ctypes.CDLL(str(library))
        for returned, names in _RETURNED.items():
            for name in names.split():
                getattr(self.tf, name).restype = returned
        self.status = ctypes.c_void_p(self.tf.TF_NewStatus())
        self.graph = ctypes.c_void_p(self.tf.TF_NewGraph())
        options = ctypes.c_void_p(self.tf.TF_NewSessionOptions())
        self.session = ctypes.c_void_p(
            self.tf.TF_LoadSessionFromSavedModel(
                options,
                None,
                str(folder).encode(),
                (ctypes.c_char_p * 1)(b"serve"),
                1,
                self.graph,
                None,
                self.status,
            )
        )
        self.tf.TF_DeleteSessionOptions(options)
        self.check()

    def close(self):
        """Gives the model's memory back."""
        self.tf.TF_CloseSession(self.session, self.status)
        self.tf.TF_DeleteSession(self.session, self.status)
        self.tf.TF_DeleteGraph(self.graph)
        self.tf.TF_DeleteStatus(self.status)

    def check(self):
        """Raises `Failed` if the last call did."""
        if self.tf.TF_GetCode(self.status):
            raise Failed(self.tf.TF_Message(self.status).decode())

    def run(self, fed: str, value: np.ndarray, fetched: list[str]) -> list[np.ndarray]:
        """Feeds one tensor, fetches others by their names in the graph.

        Raises:
            Failed: if TensorFlow answers with an error.
        """
        inputs = (Output * 1)(self.output(fed))
        outputs = (Output * len(fetched))(*map(self.output, fetched))
        results = (ctypes.c_void_p * len(fetched))()
        tensor = self.to_tensor(value)
        self.tf.TF_SessionRun(
            self.session,
            None,
            inputs,
            (ctypes.c_void_p * 1)(tensor),
            1,
            outputs,
            results,
            len(fetched),
            None,
            0,
            None,
            self.status,
        )
        self.tf.TF_DeleteTensor(ctypes.c_void_p(tensor))
        self.check()
        return [self.to_array(ctypes.c_void_p(result)) for result in results]

    def output(self, name):
        """The `Output` of a tensor's name, such as "serving_default_image:0"."""
        operation, index = name.split(":")
        pointer = self.tf.TF_GraphOperationByName(self.graph, operation.encode())
        assert pointer, f"the graph has no operation {operation}"
        return Output(pointer, int(index))

    def to_tensor(self, array):
        """A new TF_Tensor of an array."""
        kind = {v: k for k, v in NUMBERS.items()}.get(array.dtype.type, STRING)
        size = STRING_SIZE * array.size if kind == STRING else array.nbytes
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.tf.TF_AllocateTensor(kind, dims, array.ndim, ctypes.c_size_t(size))
        data = self.tf.TF_TensorData(ctypes.c_void_p(tensor))
        if kind != STRING:
            ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, size)
            return tensor
        for i, value in enumerate(array.ravel()):
            place = ctypes.c_void_p(data + i * STRING_SIZE)
            self.tf.TF_StringInit(place)
            self.tf.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
        return tensor

    def to_array(self, tensor):
        """The values of a TF_Tensor, which is deleted."""
        kind = self.tf.TF_TensorType(tensor)
        shape = [self.tf.TF_Dim(tensor, i) for i in range(self.tf.TF_NumDims(tensor))]
        data = self.tf.TF_TensorData(tensor)
        if kind != STRING:
            raw = ctypes.string_at(data, self.tf.TF_TensorByteSize(tensor)) if data else b""
            values = np.frombuffer(raw, NUMBERS[kind])
        else:
            values = np.empty(int(np.prod(shape)), object)
            for i in range(len(values)):
                place = ctypes.c_void_p(data + i * STRING_SIZE)
                start = self.tf.TF_StringGetDataPointer(place)
                values[i] = ctypes.string_at(start, self.tf.TF_StringGetSize(place))
        self.tf.TF_DeleteTensor(tensor)
        return values.reshape(shape)


def find_library() -> Path:
    """TensorFlow's C library in the installed wheel, which has none on Windows."""
    return min(Path(find_spec("tensorflow").origin).parent.glob("libtensorflow_cc.*"))


def tensor_names(version: Path) -> dict:
    """Signature -> {"input": tensor, "outputs": {name: tensor}}, tensors by names in the graph.

    Args:
        version: folder of a SavedModel whose signatures have one input each.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    names = {}
    for signature, definition in saved.meta_graphs[0].signature_def.items():
        if len(definition.inputs) == 1:  # The loader's own signature has none.
            (fed,) = definition.inputs.values()
            outputs = {name: info.name for name, info in definition.outputs.items()}
            names[signature] = {"input": fed.name, "outputs": outputs}
    return names


def replay_warm_up(version: Path) -> list[str]:
    """Answer a version's warm-up requests, as a server does before it takes the version.

    Returns:
        The signatures that the requests ask.

    Raises:
        Failed: if the version cannot be loaded, or answers a request with an error.
    """
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    model, names, signatures = Model(find_library(), version), tensor_names(version), []
    requests = version / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(requests)).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        signatures.append(request.model_spec.signature_name)
        tensors = names[signatures[-1]]
        (value,) = map(tf.make_ndarray, request.inputs.values())
        model.run(tensors["input"], value, list(tensors["outputs"].values()))
    model.close()
    return signatures


def _answer(library, folder, requests, answers):
    """The program described above."""
    model = Model(library, folder)
    answered = {}
    with np.load(requests, allow_pickle=True) as requests:
        signatures = json.loads(str(requests["signatures"]))
        for key in requests.files:
            if key == "signatures":
                continue
            signature = signatures[key.split("/")[0]]
            names, tensors = zip(*signature["outputs"].items(), strict=True)
            try:
                values = model.run(signature["input"], requests[key], tensors)
                answered |= {f"{key}/{n}": v for n, v in zip(names, values, strict=True)}
            except Failed as error:
                answered[f"{key}/error"] = np.array(str(error))
    assert "tensorflow" not in sys.modules
    np.savez(answers, **answered)


if __name__ == "__main__":
    _answer(*sys.argv[1:])
