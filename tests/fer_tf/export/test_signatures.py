from io import BytesIO

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.python.saved_model import loader_impl

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.export.contract import MOST_FACES
from fer_tf.export.signatures import _limited, export
from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK
from fer_tf.faces.face import Square, crop_square
from fer_tf.faces.preprocessing import to_face
from tests.networks import brightness_router, images_for
from tests.predictions import predict
from tests.records import put_manifest
from tests.served import SIGNATURES, as_example, as_request, run_python

BATCHES = {"none": [], "A": [0], "BC": [1, 2], "A only": [0] * 5, "B only": [1] * 5}
BATCHES |= {"C only": [2] * 5, "mixed": [0, 1, 2] * 11}

# Run by a Python that can import neither Keras nor fer_tf: what a server has. TensorFlow asks where
# Keras is and copes with its absence, but not with the question failing.
ANSWER = """
import importlib.machinery, sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "fer_tf"):
            return importlib.machinery.ModuleSpec(name, self, origin="/hidden/__init__.py")
    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name)
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Hide())
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
inputs, outputs = np.load(sys.argv[2], allow_pickle=True), {}
for key in inputs.files:
    signature, name, batch = key.split("/")
    value = inputs[key]
    value = tf.constant(value.tolist(), tf.string) if value.dtype == object else value
    result = model.signatures[signature](**{name: tf.constant(value)})
    outputs |= {f"{signature}/{batch}/{k}": v.numpy() for k, v in result.items()}
assert not {"keras", "fer_tf"} & set(sys.modules)
np.savez(sys.argv[3], **outputs)
"""


@pytest.fixture(scope="module", params=["1", "0"], ids=["oneDNN", "no oneDNN"])
def answers(request, model, tmp_path_factory):
    """Every signature's answer to every batch, from a process without Keras."""
    folder = tmp_path_factory.mktemp("answers")
    inputs = {
        f"{signature}/{name}/{batch}": as_request(signature, images_for(paths))
        for signature, name in SIGNATURES.items()
        for batch, paths in BATCHES.items()
    }
    np.savez(folder / "inputs.npz", **inputs)
    files = [folder / "inputs.npz", folder / "outputs.npz"]
    run_python(["-c", ANSWER, model, *files], one_dnn=request.param)
    with np.load(files[1], allow_pickle=True) as outputs:
        return dict(outputs)


def get(answers, signature, batch):
    prefix = f"{signature}/{batch}/"
    return {k.removeprefix(prefix): v for k, v in answers.items() if k.startswith(prefix)}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("signature", ["serving_default", "serving_bytes", "all_paths"])
def test_outputs_have_the_shapes_and_meaning_of_the_contract(answers, signature, batch):
    count = len(BATCHES[batch])
    result = get(answers, signature, batch)
    assert {k: (v.shape, v.dtype) for k, v in result.items()} == {
        "label": ((count,), np.dtype(object)),
        "class_id": ((count,), np.int32),
        "probability": ((count,), np.float32),
        "path": ((count,), np.dtype(object)),
        "path_probabilities": ((count, 3), np.float32),
        "probabilities": ((count, 7), np.float32),
    }
    np.testing.assert_allclose(result["path_probabilities"].sum(-1), np.ones(count), atol=1e-5)
    for i in range(count):
        class_id = result["class_id"][i]
        assert result["label"][i].decode() == EXPRESSIONS[class_id]
        assert result["probability"][i] == result["probabilities"][i, class_id]
        assert class_id == result["probabilities"][i].argmax()


@pytest.mark.parametrize("batch", [b for b in BATCHES if b != "none"])
def test_routed_answers_equal_the_networks(answers, networks, batch):
    images = images_for(BATCHES[batch])
    covered = images.copy()
    covered[:, :24] = 0
    softmax = {n: np.array(keras.ops.softmax(net(covered))) for n, net in networks.items()}
    joint = softmax["begin"][:, [0, 0, 0, 1, 1, 2, 2]] * np.concatenate(
        [softmax[name] for name in MULTI_NETWORK[1:]], axis=-1
    )
    path = softmax["begin"].argmax(-1)
    assert path.tolist() == BATCHES[batch]
    routed = np.where(np.array([0, 0, 0, 1, 1, 2, 2]) == path[:, None], joint, 0)
    for signature in ("serving_default", "serving_bytes"):
        result = get(answers, signature, batch)
        np.testing.assert_allclose(result["path_probabilities"], softmax["begin"], atol=1e-5)
        np.testing.assert_allclose(result["probabilities"], routed, atol=1e-5)
        assert [p.decode() for p in result["path"]] == ["ABC"[i] for i in path]
    result = get(answers, "all_paths", batch)
    np.testing.assert_allclose(result["probabilities"], joint, atol=1e-5)
    of_class = ["AAABBCC"[i] for i in joint.argmax(-1)]
    assert [p.decode() for p in result["path"]] == of_class


@pytest.mark.parametrize("batch", BATCHES)
def test_classify_returns_names_and_the_routed_probabilities(answers, batch):
    result = get(answers, "classify", batch)
    assert set(result) == {"classes", "scores"}
    routed = get(answers, "serving_bytes", batch)["probabilities"]
    np.testing.assert_allclose(result["scores"], routed, atol=1e-6)
    assert result["classes"].shape == (len(BATCHES[batch]), 7)
    for row in result["classes"]:
        assert tuple(name.decode() for name in row) == EXPRESSIONS


def test_signatures_and_their_inputs_are_those_of_the_contract(model):
    signatures = loader_impl.parse_saved_model(str(model)).meta_graphs[0].signature_def
    inputs_of = {n: list(s.inputs) for n, s in signatures.items() if not n.startswith("__")}
    assert inputs_of == {name: [key] for name, key in SIGNATURES.items()}
    methods = {name: signatures[name].method_name for name in inputs_of}
    assert methods == {
        name: f"tensorflow/serving/{'classify' if name == 'classify' else 'predict'}"
        for name in SIGNATURES
    }


def test_each_weight_is_stored_once(model, networks):
    checkpoint = tf.train.load_checkpoint(str(model / "variables" / "variables"))
    shapes = checkpoint.get_variable_to_shape_map().values()
    stored = sum(np.prod(shape) for shape in shapes if shape)
    # A little less than the networks have: batch normalization is folded.
    assert 0.8 * stored < sum(network.count_params() for network in networks.values())


def test_the_covered_half_is_blackened_in_the_graph(model):
    signature = tf.saved_model.load(model).signatures["serving_default"]
    images = images_for([0, 1, 2])
    other = images.copy()
    other[:, :24] = 255
    for name, value in signature(image=tf.constant(images)).items():
        np.testing.assert_array_equal(signature(image=tf.constant(other))[name], value)


def test_eyes_are_left_to_the_caller(networks, tmp_path):
    export(networks, "eyes", tmp_path / "1")
    signature = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    images = images_for([1])
    result = signature(image=tf.constant(images))["path_probabilities"]
    logits = networks["begin"](images)
    np.testing.assert_allclose(result, keras.ops.softmax(logits), atol=1e-5)


def test_a_request_is_limited_to_the_documented_number_of_faces():
    few = tf.zeros([MOST_FACES, 1])
    assert _limited(few, "image").shape == few.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="image has 1025 faces, at most 1024"):
        _limited(tf.zeros([MOST_FACES + 1, 1]), "image")


def test_wrong_shapes_and_types_are_errors(model):
    signature = tf.saved_model.load(model).signatures["serving_default"]
    for wrong in (
        tf.zeros([1, 48, 48, 3], tf.uint8),
        tf.zeros([48, 48, 1], tf.uint8),
        tf.zeros([1, 48, 48, 1], tf.float32),
    ):
        with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
            signature(image=wrong)


def pixel_network(classes: int, seed: int) -> keras.Model:
    """Looks at single pixels: other gray levels, or the same elsewhere, give other answers."""
    images = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    initializer = keras.initializers.RandomNormal(stddev=0.1, seed=seed)
    return keras.Model(images, keras.layers.Dense(classes, kernel_initializer=initializer)(x))


@pytest.fixture(scope="module")
def pixel_model(tmp_path_factory):
    """A version whose answers depend on each pixel of the face."""
    folder = tmp_path_factory.mktemp("pixels") / "1"
    classes = dict(zip(MULTI_NETWORK, (3, 3, 2, 2), strict=True))
    networks = {name: pixel_network(k, i) for i, (name, k) in enumerate(classes.items())}
    export(networks | {"begin": brightness_router((24, 48))}, "upper", folder)
    put_manifest(folder)
    return folder


def asked(model, signature, value):
    """Label and probabilities of one request."""
    loaded = tf.saved_model.load(model).signatures[signature]
    answer = loaded(**{SIGNATURES[signature]: tf.constant(value)})
    if signature == "classify":
        scores = answer["scores"].numpy()[0]
        return answer["classes"].numpy()[0][scores.argmax()].decode(), scores
    return answer["label"].numpy()[0].decode(), answer["probabilities"].numpy()[0]


def encoded(picture, extension):
    return cv2.imencode(extension, picture)[1].tobytes()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_array_bytes_and_predict_agree(pixel_model, extension, tmp_path):
    photo = tmp_path / f"photo{extension}"
    photo.write_bytes(encoded(draw_portrait(subject=200, expression=0, take=0), extension))
    picture = cv2.imread(str(photo))
    (prediction,) = predict([photo], pixel_model)
    square = crop_square(picture, prediction.square)
    expected = np.array(list(prediction.probabilities.values()))
    assert isinstance(prediction.square, Square) and 0.1 < expected.max() < 0.99

    array = to_face(square)[None, :, :, None]
    # The square is sent without loss: how much a second JPEG loses is the client's business.
    files = [encoded(square, ".png")]
    requests = {"serving_default": array, "serving_bytes": files}
    requests["classify"] = [as_example(file) for file in files]
    for signature, value in requests.items():
        label, probabilities = asked(pixel_model, signature, value)
        assert label == prediction.label
        np.testing.assert_allclose(probabilities, expected, atol=1e-2)


def test_a_jpeg_square_is_answered_as_its_pixels(pixel_model):
    file = encoded(draw_portrait(subject=3, expression=2, take=0, size=200), ".jpg")
    array = to_face(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR))
    label, probabilities = asked(pixel_model, "serving_bytes", [file])
    expected_label, expected = asked(pixel_model, "serving_default", array[None, :, :, None])
    assert label == expected_label
    np.testing.assert_allclose(probabilities, expected, atol=1e-2)


def test_an_exif_rotation_turns_a_photo_and_no_request(pixel_model, tmp_path):
    """`predict` turns a photograph upright, a server takes a square as its pixels are."""
    pixels = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))  # No face is found in it.
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    turned, plain = BytesIO(), BytesIO()
    Image.fromarray(pixels).save(turned, "JPEG", exif=exif, quality=95)
    Image.fromarray(pixels).save(plain, "JPEG", quality=95)
    (tmp_path / "turned.jpg").write_bytes(turned.getvalue())
    (tmp_path / "plain.jpg").write_bytes(plain.getvalue())
    photos = predict([tmp_path / "plain.jpg", tmp_path / "turned.jpg"], pixel_model)
    as_it_is, upright = (np.array(list(photo.probabilities.values())) for photo in photos)
    assert np.abs(as_it_is - upright).max() > 0.1
    _, probabilities = asked(pixel_model, "serving_bytes", [turned.getvalue()])
    np.testing.assert_allclose(probabilities, as_it_is, atol=1e-2)
