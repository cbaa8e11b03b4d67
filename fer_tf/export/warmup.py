"""Warm-up requests: a server answers them before it takes a version into service.

The first request to each signature costs seconds, in which TensorFlow prepares the graph; with
these, no user waits for it. One request for each signature is enough: it prepares all paths, and
the first face on another path takes no longer than the next ones (results/warm_up.json). One
request that fails keeps the server from loading the version at all, so all are answered here first,
by TensorFlow's C library, which loads a model as the server does.
"""

import contextlib
import warnings
from pathlib import Path

import cv2
import numpy as np

from fer_tf.errors import UserError
from fer_tf.export.c_api import Failed, Model, find_library, tensor_names
from fer_tf.export.contract import ATTENTION
from fer_tf.export.model_store import plain_path
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for a version's requests."""

_CANDIDATES, _ROUNDS = 28, 24
"""Images tried at a time and how many times; 672 images of the paper's size take 80 s."""


def write_warm_up(version: Path) -> list[str]:
    """Writes a request for each signature of a SavedModel, and tries each signature and path.

    The images are drawn: no real face travels with a model. The answers come through the C library;
    where TensorFlow's wheel brings none (Windows), through its Python, with a warning.

    Args:
        version: the SavedModel's folder, not yet published.

    Returns:
        What was tried: paths, e.g. "A", or where the model recognises the occlusion kinds and
        paths, e.g. "upper A"; all there are: `routes`. One is left out when the model sends none of
        some hundred images along it, which a network that learnt little may do.

    Raises:
        UserError: if the model cannot be loaded or answers a request with an error, with numbers
            that are not finite or with another path than the image's.
    """
    import tensorflow as tf

    with _loaded(version) as run:
        images = _find_all_images(lambda images: run("serving_default", images))
        if not images:
            raise UserError(
                "The combined model answers drawn faces with no finite probability; nothing was "
                "published. Train the networks again with --restart."
            )
        path = version / WARM_UP
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as out:
            for signature in _signatures(version):
                requests = {route: _request(signature, image) for route, image in images.items()}
                for route, request in requests.items():
                    _try(request, run, route)
                out.write(next(iter(requests.values())).SerializeToString())
    return list(images)


def routes(recognises: bool) -> list[str]:
    """All ways that a face can take through a model.

    Args:
        recognises: whether the model recognises the occlusion.
    """
    return [f"{kind} {path}" for kind in RECOGNISED for path in PATHS] if recognises else [*PATHS]


def _find_all_images(answer):
    """Way -> an image that takes it, as far as one was found."""
    face = np.zeros((1, FACE_SIZE, FACE_SIZE, 1), np.uint8)
    if "occlusion" not in answer(face):
        return find_images(lambda images: answer(images)["path_probabilities"])
    found = {}
    for kind in RECOGNISED:

        def probabilities(images, kind=kind):
            """Of the paths, where another kind is recognised none of them ahead of the others."""
            said = answer(images)
            if not np.isfinite(said["path_probabilities"]).all():
                raise UserError(
                    f"The networks for {kind} answer drawn faces with no finite probability; "
                    "nothing was published. Train them again with --restart."
                )
            return said["path_probabilities"] * (said["occlusion"] == kind.encode())[:, np.newaxis]

        found |= {
            f"{kind} {path}": image for path, image in find_images(probabilities, kind).items()
        }
    return found


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


@contextlib.contextmanager
def _loaded(version):
    """A function of a signature and its input that returns the outputs by name."""
    import tensorflow as tf

    # On the CPU, because whoever trained just now may hold the GPU's memory.
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    library = find_library()
    load = _through_c
    if library is None:
        load = _through_python
        warnings.warn(
            "TensorFlow's wheel has no C library here; warm-up requests are answered through its "
            "Python, not as a server answers them.",
            stacklevel=2,
        )
    names = tensor_names(version)
    try:
        with plain_path(version) as path, load(path, config, library) as fetch:

            def run(signature, value):
                tensors = names[signature]
                values = fetch(tensors["input"], value, list(tensors["outputs"].values()))
                return dict(zip(tensors["outputs"], values, strict=True))

            yield run
    except (Failed, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"The combined model cannot answer its warm-up requests ({reason}); nothing was "
            "published. Please report this."
        ) from error


@contextlib.contextmanager
def _through_c(version, config, library):
    model = Model(library, version, config.SerializeToString())
    with contextlib.closing(model):
        yield model.run


@contextlib.contextmanager
def _through_python(version, config, _library):
    import tensorflow as tf

    with contextlib.closing(tf.compat.v1.Session(graph=tf.Graph(), config=config)) as session:
        with session.graph.as_default():
            tf.compat.v1.saved_model.loader.load(session, ["serve"], str(version))
        yield lambda fed, value, fetched: session.run(fetched, {fed: value})


def _signatures(version):
    """Those that a user may ask; of attention where the model has it."""
    asked = ("serving_default", "serving_bytes", "all_paths", "classify", ATTENTION)
    return [signature for signature in asked if signature in tensor_names(version)]


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


def _try(log, run, expected):
    """Answers the request of a `PredictionLog`, whose face is expected to take this way."""
    import tensorflow as tf

    request = log.predict_log.request
    signature = request.model_spec.signature_name
    (value,) = request.inputs.values()
    answer = run(signature, tf.make_ndarray(value))
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
