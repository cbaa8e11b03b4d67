"""Writes trained networks as one SavedModel with the signatures that a server needs."""

from pathlib import Path

from fer_tf.export.contract import (
    ALL_PATHS,
    ATTENTION,
    FORMS,
    MOST_FACES,
    ROUTED,
    USUAL_OPTIONS,
    ExportOptions,
)
from fer_tf.expressions import EXPRESSIONS, PATHS, TASKS
from fer_tf.faces.face import FACE_SIZE
from fer_tf.occlusion.kinds import RECOGNISED


def export(
    networks: dict, occlusion: str, folder: Path, options: ExportOptions = USUAL_OPTIONS
) -> None:
    """Writes four networks as a SavedModel, see `write_saved_model`.

    Args:
        networks: built Keras networks by their names in `MULTI_NETWORK`.
        occlusion: "upper" or "lower" is blackened in the graph; for "eyes" the caller blackens.
        folder: the folder to create.
        options: how the networks are exported.
    """
    from fer_tf.export.litert import fold_networks, write_networks
    from fer_tf.models.layers.occlusion_selection import blackened

    # The position of the eyes differs from face to face, and a graph cannot locate them.
    kind = "none" if occlusion == "eyes" else occlusion
    parts = fold_networks(networks, options)
    selections = _path_selections(parts, options)
    write_saved_model(
        {
            form: lambda images, selection=selection: selection(blackened(images, kind))
            for form, selection in selections.items()
        },
        folder,
    )
    write_networks(parts.named(), folder, options)


def export_any_occlusion(
    occlusion_net,
    networks: dict[str, dict],
    folder: Path,
    options: ExportOptions = USUAL_OPTIONS,
) -> None:
    """Writes multi-networks and the network that picks one as a SavedModel.

    Args:
        occlusion_net: built Keras network, see `fer_tf.models.layers.occlusion_selection`.
        networks: kind of occlusion -> built Keras networks by their names in `MULTI_NETWORK`.
        folder: the folder to create.
        options: how the networks are exported.
    """
    from fer_tf.export.litert import fold_networks, write_networks
    from fer_tf.models.folding import fold
    from fer_tf.models.layers.occlusion_selection import OcclusionSelection

    occlusion_net = fold(occlusion_net, options.precision, options.weights)
    parts = {kind: fold_networks(each, options) for kind, each in networks.items()}
    selections = {kind: _path_selections(each, options) for kind, each in parts.items()}
    forms = [form for form in FORMS if all(form in each for each in selections.values())]
    write_saved_model(
        {
            form: OcclusionSelection(
                occlusion_net, {kind: each[form] for kind, each in selections.items()}
            )
            for form in forms
        },
        folder,
    )
    named = {"occlusion_net": occlusion_net}
    for kind, each in parts.items():
        named |= each.named(f"{kind}/")
    write_networks(named, folder, options)


def write_saved_model(layers: dict, folder: Path) -> None:
    """Writes a SavedModel with the signatures that docs/serving.md lists.

    It needs neither Keras nor fer_tf. A request with more than `MOST_FACES` faces, with a tensor of
    another shape or with a file that `to_face_tf` refuses fails as a whole.

    Args:
        layers: one of `FORMS` -> a function of images uint8 [N, 48, 48, 1], made of Keras layers,
            that returns a dict like `PathSelection`, `PathAttention` or `OcclusionSelection`; the
            form `ATTENTION` may be missing.
        folder: the folder to create.
    """
    import keras
    import tensorflow as tf

    shape = (FACE_SIZE, FACE_SIZE, 1)
    models = {}
    for form, layer in layers.items():
        images = keras.layers.Input(shape, dtype="uint8")
        models[form] = keras.Model(images, layer(images))

    def evaluate(images, form):
        # A server does not check requests against the signature's shape.
        images = _limited(tf.ensure_shape(images, (None, *shape)), "image")
        return models[form](images, training=False)

    def attention(image):
        result = evaluate(image, ATTENTION)
        return {"path": _path(result), "attention": result["attention"]}

    # One function for three signatures, so that it is traced only once.
    image_spec = tf.TensorSpec((None, *shape), tf.uint8, name="image")
    routed = tf.function(
        lambda image: _named(evaluate(image, ROUTED), ROUTED), [image_spec], autograph=False
    )

    def classify(inputs):
        feature = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        inputs = _limited(tf.ensure_shape(inputs, [None]), "inputs")
        examples = tf.io.parse_example(inputs, feature)
        scores = routed(_decoded(examples["image/encoded"], "inputs"))["probabilities"]
        count = tf.shape(scores)[0]
        return {"classes": tf.tile([EXPRESSIONS], [count, 1]), "scores": scores}

    # Without `track`, which stores each weight twice (Keras 3.15).
    archive = keras.export.ExportArchive()
    endpoints = [
        ("serving_default", routed, image_spec),
        (
            "serving_bytes",
            lambda image_bytes: routed(_decoded(image_bytes, "image_bytes")),
            tf.TensorSpec((None,), tf.string, "image_bytes"),
        ),
        (ALL_PATHS, lambda image: _named(evaluate(image, ALL_PATHS), ALL_PATHS), image_spec),
        ("classify", classify, tf.TensorSpec((None,), tf.string, "inputs")),
    ]
    if ATTENTION in models:
        endpoints.append((ATTENTION, attention, image_spec))
    for name, function, spec in endpoints:
        archive.add_endpoint(name, function, [spec])
    archive.write_out(folder, verbose=False)
    _name_method(folder, "classify", tf.saved_model.CLASSIFY_METHOD_NAME)


def _name_method(folder, signature, method):
    """Sets the API of a signature, which a server may check; Keras sets "predict" for each."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow.python.saved_model.fingerprinting_utils import write_fingerprint

    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    saved.meta_graphs[0].signature_def[signature].method_name = method
    path.write_bytes(saved.SerializeToString(deterministic=True))
    write_fingerprint(str(folder))  # The fingerprint contains a hash of the signatures.


def _path_selections(parts, options):
    """The layers of `FORMS` over the same four networks."""
    from fer_tf.models.layers.path_attention import PathAttention
    from fer_tf.models.layers.path_selection import PathSelection

    begin, *subnets = parts.tails
    forms = {
        form: PathSelection(begin, subnets, form == ROUTED, parts.trunk, options.mirrored)
        for form in (ROUTED, ALL_PATHS)
    }
    if parts.attention:
        forms[ATTENTION] = PathAttention(forms[ROUTED], parts.attention)
    return forms


def _decoded(files, name):
    """Decodes pictures, string [N], to uint8 [N, 48, 48, 1]; error messages call them name[i]."""
    import tensorflow as tf

    from fer_tf.faces.preprocessing import to_face_tf

    files = _limited(tf.ensure_shape(files, [None]), name)
    indices = tf.as_string(tf.range(tf.shape(files)[0]))
    return tf.map_fn(
        lambda pair: to_face_tf(pair[0], tf.strings.join([name, "[", pair[1], "]"])),
        (files, indices),
        fn_output_signature=tf.TensorSpec((FACE_SIZE, FACE_SIZE, 1), tf.uint8),
    )


def _limited(batch, name):
    """Returns the tensor, after a check that it has at most `MOST_FACES` rows."""
    import tensorflow as tf

    count = tf.shape(batch)[0]
    message = [name, " has ", tf.as_string(count)]
    message += [f" faces, at most {MOST_FACES} are answered at a time: send fewer."]
    check = tf.debugging.Assert(count <= MOST_FACES, [tf.strings.join(message)])
    with tf.control_dependencies([check]):
        return tf.identity(batch)


def _named(result, form):
    """The outputs of a signature, N rows each."""
    import tensorflow as tf

    probabilities = result["probabilities"]
    class_id = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    path = None if form == ROUTED else tf.gather(tf.constant(TASKS["begin"].class_of), class_id)
    outputs = {
        "label": tf.gather(tf.constant(EXPRESSIONS), class_id),
        "class_id": class_id,
        "probability": tf.gather(probabilities, class_id, batch_dims=1),
        "path": _path(result, path),
        "path_probabilities": result["path_probabilities"],
        "probabilities": probabilities,
    }
    if "occlusion_probabilities" in result:
        occlusion = result["occlusion_probabilities"]
        outputs["occlusion"] = tf.gather(tf.constant(RECOGNISED), tf.argmax(occlusion, axis=-1))
        outputs["occlusion_probabilities"] = occlusion
    return outputs


def _path(result, path=None):
    """The names of paths, int32 [N]; by default of the most probable ones."""
    import tensorflow as tf

    if path is None:
        path = tf.argmax(result["path_probabilities"], axis=-1, output_type=tf.int32)
    return tf.gather(tf.constant(list(PATHS)), path)
