"""Runs the networks of a version in LiteRT, without TensorFlow.

The routes are those of the SavedModel's signatures: OcclusionNet where the version recognises the
occlusion, then BeginNet, then for each face its path's subnet. Its tests compare the two.
"""

import os
import threading
from pathlib import Path

import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.contract import ALL_PATHS, ATTENTION, LITERT_NETWORKS
from fer_tf.expressions import EXPRESSIONS, PATHS, SUBNETS, TASKS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels
from fer_tf.records.manifest import Manifest
from fer_tf.terminal import silent_stderr

_LABELS = {network: [labels[0] for labels in TASKS[network].expressions] for network in SUBNETS}
"""Subnet -> the label of each of its outputs."""


class LiteRTModel:
    """The networks of a version, loaded once; several threads may share it.

    More than `faces_at_once` faces at a time would need more memory and be no faster.

    Args:
        version: a version's folder, which contains `LITERT_NETWORKS`.
        manifest: the version's manifest.
        threads: number of threads for the networks; None: as many as cores.

    Raises:
        UserError: if the file is damaged.
    """

    faces_at_once = 32

    def __init__(self, version: Path, manifest: Manifest, threads: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        path = version / LITERT_NETWORKS
        try:
            with silent_stderr():  # It reports its delegate there.
                self._interpreter = Interpreter(str(path), num_threads=threads or usable_cores())
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"{path} cannot be loaded ({error}): copy the version again, or make it again with "
                "`python cli.py combine`."
            ) from error
        self._lock = threading.Lock()
        self._names = set(self._interpreter.get_signature_list())
        self._mirrored = manifest.mirrored
        if manifest.recognises_occlusion:
            self._kinds = [kind for kind in RECOGNISED if f"{kind}/begin" in self._names]
        else:
            self._kinds = []
            # The eyes are in other places in each face, so the caller blackens them.
            self._blackened = "none" if manifest.occlusion == "eyes" else manifest.occlusion

    @property
    def has_attention(self) -> bool:
        """Whether the version has the signature `attention`."""
        return any(name.endswith("/attention") for name in self._names)

    def ask(self, signature: str, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of a signature whose input is `image`, see `fer_tf.export.signatures`.

        Args:
            signature: "serving_default", "all_paths", or "attention" where the version has it.
            faces: uint8 [N, 48, 48, 1], N at least 1.
        """
        with self._lock:  # An interpreter runs one request at a time.
            if not self._kinds:
                outputs = self._answer("", self._blackened, signature, faces)
            else:
                outputs = self._answer_by_occlusion(signature, faces)
        return _named(outputs, signature)

    def _answer_by_occlusion(self, signature, faces):
        occlusion = _softmax(self._run("occlusion_net", faces))
        recognised = np.array(RECOGNISED)[occlusion.argmax(axis=1)]
        # Faces without occlusion are answered like covered eyes where no network was trained on
        # them: covered eyes leave the most of a face visible.
        answering = np.where(np.isin(recognised, self._kinds), recognised, "eyes")
        outputs = {}
        for kind in self._kinds:
            rows = np.flatnonzero(answering == kind)
            if len(rows):
                part = self._answer(f"{kind}/", kind, signature, faces[rows])
                _scatter(outputs, rows, part, len(faces))
        if signature == ATTENTION:
            return outputs
        return outputs | {"occlusion": recognised, "occlusion_probabilities": occlusion}

    def _answer(self, prefix, kind, signature, faces):
        """The outputs of the multi-network of one kind of occlusion, whose faces it blackens."""
        faces = faces * visible_pixels(kind)
        views = [faces, faces[:, :, ::-1]] if self._mirrored else [faces]
        if f"{prefix}trunk" in self._names:
            views = [self._run(f"{prefix}trunk", view) for view in views]
        begin = self._probabilities(f"{prefix}begin", views)
        path = begin.argmax(axis=1)
        if signature == ATTENTION:
            return self._attention(prefix, faces, begin, path)
        probabilities = np.zeros((len(faces), len(EXPRESSIONS)), np.float32)
        for number, network in enumerate(SUBNETS):
            rows = (
                np.arange(len(faces)) if signature == ALL_PATHS else np.flatnonzero(path == number)
            )
            if len(rows):
                subnet = self._probabilities(f"{prefix}{network}", [view[rows] for view in views])
                probabilities[np.ix_(rows, _LABELS[network])] = begin[rows, number, None] * subnet
        return {"path_probabilities": begin, "probabilities": probabilities}

    def _attention(self, prefix, faces, begin, path):
        maps = np.zeros((len(faces), FACE_SIZE, FACE_SIZE), np.float32)
        for number, network in enumerate(SUBNETS):
            rows = np.flatnonzero(path == number)
            if len(rows):
                maps[rows] = self._run(f"{prefix}{network}/attention", faces[rows])
        return {"path_probabilities": begin, "attention": maps}

    def _probabilities(self, name, views):
        """The mean softmax of a network's logits for views of the same faces."""
        return np.mean([_softmax(self._run(name, view)) for view in views], axis=0)

    def _run(self, name, inputs):
        runner = self._interpreter.get_signature_runner(name)
        return runner(inputs=np.ascontiguousarray(inputs))["outputs"]


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _softmax(logits):
    """Softmax without SciPy, whose import takes longer than the networks."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _scatter(outputs, rows, part, count):
    """Copies the outputs of some rows into the outputs of all rows."""
    for name, values in part.items():
        if name not in outputs:
            outputs[name] = np.zeros((count, *values.shape[1:]), values.dtype)
        outputs[name][rows] = values


def _named(outputs, signature):
    """The outputs with the names that the signature has."""
    path = outputs["path_probabilities"].argmax(axis=1)
    if signature == ATTENTION:
        return {"path": _bytes(np.array(list(PATHS))[path]), "attention": outputs["attention"]}
    probabilities = outputs["probabilities"]
    class_id = probabilities.argmax(axis=1).astype(np.int32)
    if signature == ALL_PATHS:
        path = np.array(TASKS["begin"].class_of)[class_id]
    named = outputs | {
        "label": _bytes(np.array(EXPRESSIONS)[class_id]),
        "class_id": class_id,
        "probability": probabilities[np.arange(len(class_id)), class_id],
        "path": _bytes(np.array(list(PATHS))[path]),
    }
    if "occlusion" in named:
        named["occlusion"] = _bytes(named["occlusion"])
    return named


def _bytes(names):
    """Strings as bytes, as TensorFlow returns them."""
    return np.array([name.encode() for name in names], object)
