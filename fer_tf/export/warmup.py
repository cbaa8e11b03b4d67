"""Warm-up requests: a server answers them before it takes a version into service.

The first request to each signature costs seconds, in which TensorFlow prepares the graph; with
warm-up requests no user waits for that. One request for each signature is enough: it prepares all
paths, and the first face on another path takes no longer than the next ones (results/warm_up.json).
One request that fails keeps the server from loading the version at all, so the loaded version
answers all requests here first.
"""

import functools
import re
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.contract import ATTENTION
from fer_tf.export.model_store import load_version
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for a version's requests."""

_SIGNATURES = ("serving_default", "serving_bytes", "all_paths", "classify", ATTENTION)
_CANDIDATES, _ROUNDS = 28, 24
"""Images tried at a time and how many times; 672 images of the paper's size take 80 s."""


def write_warm_up(version: Path) -> list[str]:
    """Write a request for each signature of a SavedModel, and try each signature and path.

    The images are drawn: no real face travels with a model. The networks run on the CPU, because
    a training that ended just now may still use the GPU's memory.

    Args:
        version: the SavedModel's folder, not yet published.

    Returns:
        The routes that were tried, a part of `routes`. A route is left out when none of some
        hundred images takes it, as in networks that learnt little.

    Raises:
        UserError: if the model cannot be loaded, or answers a request with an error, with numbers
            that are not finite or with another route than the image's.
    """
    import tensorflow as tf

    with tf.device("CPU"):
        model = load_version(version)
        try:
            return _write_requests(version, model.signatures)
        except tf.errors.OpError as error:
            reason = re.sub(r"{{.*?}}", "", str(error)).partition("\n\t")[0]
            raise UserError(
                f"The combined model cannot answer its warm-up requests "
                f"({' '.join(reason.split())}); nothing was published. Please report this."
            ) from error


def routes(recognises: bool) -> list[str]:
    """All routes that a face can take through a model: paths, or kinds of occlusion with paths.

    Args:
        recognises: whether the model recognises the occlusion.

    Returns:
        e.g. "A"; where the model recognises the occlusion, e.g. "upper A".
    """
    return [f"{kind} {path}" for kind in RECOGNISED for path in PATHS] if recognises else [*PATHS]


def _write_requests(version, signatures):
    """Write and try the requests; return the routes that were tried."""
    import tensorflow as tf

    images = _images_by_route(
        lambda images: _answer(signatures["serving_default"], image=tf.constant(images))
    )
    if not images:
        raise UserError(
            "The combined model answers drawn faces with no finite probability; nothing was "
            "published. Train the networks again with --restart."
        )
    path = version / WARM_UP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as out:
        for signature in filter(signatures.__contains__, _SIGNATURES):
            requests = {route: _request(signature, image) for route, image in images.items()}
            for route, request in requests.items():
                _try(request, signatures, route)
            out.write(next(iter(requests.values())).SerializeToString())
    return list(images)


def _answer(signature, **inputs):
    """The outputs of a signature, by name, as arrays."""
    return {name: tensor.numpy() for name, tensor in signature(**inputs).items()}


def _images_by_route(answer):
    """Route -> an image that takes it; a route that no image takes is missing."""
    face = np.zeros((1, FACE_SIZE, FACE_SIZE, 1), np.uint8)
    if "occlusion" not in answer(face):
        return find_images(lambda images: answer(images)["path_probabilities"])
    images = {}
    for kind in RECOGNISED:
        by_path = find_images(functools.partial(_paths_under, kind, answer), kind)
        images |= {f"{kind} {path}": image for path, image in by_path.items()}
    return images


def _paths_under(kind, answer, images):
    """Path probabilities of images, 0 where the model recognises another kind of occlusion."""
    outputs = answer(images)
    if not np.isfinite(outputs["path_probabilities"]).all():
        raise UserError(
            f"The networks for {kind} answer drawn faces with no finite probability; "
            "nothing was published. Train them again with --restart."
        )
    recognised = outputs["occlusion"] == kind.encode()
    return np.where(recognised[:, np.newaxis], outputs["path_probabilities"], 0)


def find_images(path_probabilities, kind: str = "none") -> dict[str, np.ndarray]:
    """One image for each path that the networks take, drawn and then varied until one is found.

    Args:
        path_probabilities: function of images uint8 [N, 48, 48, 1] that returns float32 [N, 3].
        kind: how the drawn faces are covered, one of `fer_tf.occlusion.kinds.RECOGNISED`.

    Returns:
        Path -> uint8 [1, 48, 48, 1], in the order of `PATHS`, without the paths not found.
    """
    from fer_tf.data.sources.drawn import draw_face

    random = np.random.default_rng(0)
    faces = [draw_face(i, i % len(EXPRESSIONS), 0) for i in range(_CANDIDATES)]
    images = np.stack(faces)[..., np.newaxis] * visible_pixels(kind).astype(np.uint8)
    leads = dict.fromkeys(PATHS, -np.inf)
    nearest = {}
    for _ in range(_ROUNDS):
        probabilities = path_probabilities(images)
        for i, path in enumerate(PATHS):
            lead = probabilities[:, i] - np.delete(probabilities, i, axis=-1).max(-1)
            row = lead.argmax()
            if lead[row] > leads[path]:
                leads[path], nearest[path] = lead[row], images[row : row + 1]
        missing = [path for path in nearest if leads[path] <= 0]
        if not missing:
            break
        images = np.concatenate(
            [_varied(nearest[path], _CANDIDATES // len(missing), random) for path in missing]
        )
    return {path: nearest[path] for path in PATHS if leads[path] > 0}


def _varied(image, count, random):
    """Images like one image, under soft stains of all strengths: uint8 [count, 48, 48, 1]."""
    varied = []
    for strength in np.geomspace(4, 128, count):
        stains = random.normal(0, strength, (random.integers(1, 9),) * 2).astype(np.float32)
        stains = cv2.resize(stains, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_CUBIC)
        varied.append(image[0] + stains[..., np.newaxis])
    return np.stack(varied).clip(0, 255).astype(np.uint8)


def _request(signature, image):
    """A `PredictionLog` that asks a signature for one image, uint8 [1, 48, 48, 1]."""
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    png = cv2.imencode(".png", image[0])[1].tobytes()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[png]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))
    name, value = {
        "serving_default": ("image", image),
        "serving_bytes": ("image_bytes", [png]),
        "all_paths": ("image", image),
        ATTENTION: ("image", image),
        "classify": ("inputs", [example.SerializeToString()]),
    }[signature]
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log


def _try(log, signatures, expected):
    """Answer the request of a `PredictionLog`, whose face is expected to take this route."""
    import tensorflow as tf

    request = log.predict_log.request
    signature = request.model_spec.signature_name
    inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
    answer = _answer(signatures[signature], **inputs)
    output, shape = {
        "classify": ("scores", [len(EXPRESSIONS)]),
        ATTENTION: ("attention", [FACE_SIZE, FACE_SIZE]),
    }.get(signature, ("probabilities", [len(EXPRESSIONS)]))
    scores = answer[output]
    if scores.shape != (1, *shape) or not np.isfinite(scores).all():
        raise UserError(
            f"The combined model answers a drawn face through {signature} with {scores}; "
            "nothing was published. Train the networks again with --restart."
        )
    if signature in ("serving_default", "serving_bytes"):
        taken = answer["path"][0].decode()
        if "occlusion" in answer:
            taken = f"{answer['occlusion'][0].decode()} {taken}"
        if taken != expected:
            raise UserError(
                f"The combined model sends one drawn face along path {expected} and, through "
                f"{signature}, along {taken}; nothing was published. Please report this."
            )
