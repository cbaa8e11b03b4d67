import base64
import json
import os
import shutil
import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import cli
from fer_tf.app.models import ServedModels
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.faces.face import read_picture
from fer_tf.faces.pictures import Picture
from fer_tf.inference.predict import TENSORFLOW, ExpressionModel, faces_of
from fer_tf.inference.remote import ask, query
from fer_tf.occlusion.occlude import occlude
from fer_tf.serving.config import POLL_SECONDS, choose_versions, write_files
from fer_tf.serving.rest_client import Server, model_path
from fer_tf.serving.server_errors import SIGNATURES, explain
from tests.predictions import predict
from tests.records import put_manifest
from tests.stand_in_server import ServingError, StandIn, Version
from tests.tiny_model import copy_tiny_model


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A version's folder."""
    folder = tmp_path_factory.mktemp("exported") / "1"
    copy_tiny_model(folder)
    put_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def server(exported, tmp_path_factory):
    """A stand-in with two models of one version."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("concat_db", "eye_cdb"):
        shutil.copytree(exported, folder / name / "1")
    stand_in = StandIn(folder)
    yield stand_in
    stand_in.stop()


def save_answering(folder, class_id):
    """A SavedModel that gives every image the same class."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.uint8, "image")])
    def serve(image):
        count = tf.shape(image)[0]
        one_hot = tf.one_hot(tf.fill([count], class_id), len(EXPRESSIONS))
        return {
            "label": tf.fill([count], EXPRESSIONS[class_id]),
            "class_id": tf.fill([count], class_id),
            "probability": tf.ones([count]),
            "path": tf.fill([count], "A"),
            "path_probabilities": tf.one_hot(tf.fill([count], 0), len(PATHS)),
            "probabilities": one_hot,
        }

    tf.saved_model.save(module, folder, signatures=serve)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A picture of two persons and one without a face."""
    folder = tmp_path_factory.mktemp("photos")
    two = np.concatenate([draw_portrait(s, 0, 0, size=256) for s in (3, 4)], axis=1)
    cv2.imwrite(str(folder / "two.png"), two)
    cv2.imwrite(str(folder / "blank.png"), np.zeros((30, 40, 3), np.uint8))
    return [folder / "two.png", folder / "blank.png"]


def as_numbers(predictions):
    return [
        (p.photo, p.square, p.label, p.class_id, p.path, *p.probabilities.values())
        for p in predictions
    ]


@pytest.mark.parametrize("signature", ["serving_default", "serving_bytes"])
def test_a_server_answers_as_predict_does(server, exported, photos, signature):
    answers, covered = query(photos, Server(server.url), "concat_db", signature=signature)
    expected = predict(photos, exported)
    assert not covered and len(answers) == 3
    for one, other in zip(as_numbers(answers), as_numbers(expected), strict=True):
        assert one[:5] == other[:5]
        assert one[5:] == pytest.approx(other[5:], abs=1e-6)
    assert list(answers[0].path_probabilities) == list(PATHS)


def test_the_page_has_the_same_attention_of_a_server_and_of_a_version(server, exported, photos):
    faces = np.stack([face for _, face in faces_of(Picture("two.png", read_picture(photos[0])))])
    models = ServedModels(Server(server.url))

    attention = models.attention("concat_db", faces)

    assert attention.shape == (2, 48, 48) and attention.std() > 0.01
    expected = ExpressionModel(exported, TENSORFLOW).attention(faces)
    np.testing.assert_allclose(attention, expected, atol=1e-5)


def test_a_served_model_without_attention_still_answers_the_page(tmp_path):
    save_answering(tmp_path / "concat_db" / "1", 4)
    stand_in = StandIn(tmp_path)
    try:
        models = ServedModels(Server(stand_in.url))
        faces = np.zeros((2, 48, 48), np.uint8)
        assert models.attention("concat_db", faces) is None
        assert models.answer("concat_db", faces).label == [EXPRESSIONS[4]] * 2
    finally:
        stand_in.stop()


def test_no_face_is_never_sent(server, monkeypatch):
    """A server that joins requests to batches would never answer."""
    monkeypatch.setattr(Server, "request", lambda *_: pytest.fail("sent"))
    there = Server(server.url)
    with pytest.raises(UserError, match="No picture is named"):
        query([], there, "concat_db")
    none = np.zeros((0, 48, 48), np.uint8)
    with pytest.raises(UserError, match="at least one face"):
        there.predict("models/concat_db", "serving_bytes", none)
    with pytest.raises(UserError, match="at least one face"):
        ask(there, "models/concat_db", "serving_bytes", none)


def test_many_faces_go_in_several_requests(server, photos, monkeypatch):
    expected, _ = query(photos, Server(server.url), "concat_db")
    sent = []
    real = Server.predict

    def record(self, model, signature, images):
        sent.append(len(images))
        return real(self, model, signature, images)

    monkeypatch.setattr(Server, "predict", record)
    monkeypatch.setattr("fer_tf.inference.remote.FACES_AT_A_TIME", 2)
    answers, _ = query(photos, Server(server.url), "concat_db")
    assert sent == [2, 1]
    for one, other in zip(as_numbers(answers), as_numbers(expected), strict=True):
        assert one[:5] == other[:5] and one[5:] == pytest.approx(other[5:], abs=1e-6)


def test_all_paths_gives_the_joint_distribution(server, photos):
    answers, _ = query(photos, Server(server.url), "concat_db", signature="all_paths")
    for answer in answers:
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert answer.label == EXPRESSIONS[answer.class_id]


def test_eyes_are_covered_by_the_models_name_unless_the_user_says_otherwise(
    server, photos, monkeypatch
):
    sent = []
    real = Server.predict

    def record(self, model, signature, images):
        sent.append(images)
        return real(self, model, signature, images)

    monkeypatch.setattr(Server, "predict", record)
    there = Server(server.url)
    for name, occlusion, expected in (
        ("concat_db", None, False),
        ("eye_cdb", None, True),
        ("eye_cdb", "none", False),
        ("concat_db", "eyes", True),
    ):
        assert query(photos, there, name, occlusion=occlusion)[1] == expected
    bare, eyes, none, forced = sent
    np.testing.assert_array_equal(bare, none)
    np.testing.assert_array_equal(eyes, forced)
    np.testing.assert_array_equal(eyes, np.stack([occlude(image, "eyes") for image in bare]))
    assert (eyes != bare).any()


def test_the_only_model_is_found_and_several_are_listed(server):
    there = Server(server.url)
    with pytest.raises(UserError, match="concat_db, eye_cdb; choose one"):
        there.find_model()
    other = server.models.pop("eye_cdb")
    try:
        assert there.find_model() == "concat_db"
    finally:
        server.models["eye_cdb"] = other
    server.models["any_occlusion"] = other
    try:
        assert there.find_model() == "any_occlusion"
    finally:
        del server.models["any_occlusion"]


def test_a_canary_is_rolled_out_and_back_without_an_unanswered_request(tmp_path, photos):
    save_answering(tmp_path / "concat_db" / "1", 1)

    def configure(stable=None, canary=None):
        config = tmp_path / "models.config"
        if config.exists():
            os.utime(config, (0, time.time() - 2 * POLL_SECONDS))
        wanted = [{"concat_db": version} if version else {} for version in (stable, canary)]
        chosen = choose_versions(tmp_path, *wanted)
        write_files(tmp_path, chosen, None, False)

    configure()
    stand_in = StandIn(tmp_path)

    def answers():
        asked = (query(photos, Server(stand_in.url), "concat_db", v) for v in ("stable", "canary"))
        return [predictions[0].class_id for predictions, _ in asked]

    try:
        assert answers() == [1, 1]
        save_answering(tmp_path / "concat_db" / "2", 2)
        for step, expected in (
            (None, [1, 1]),  # loads version 2
            (None, [1, 2]),  # canary on 2
            (2, [2, 2]),  # promoted
            (1, [1, 2]),  # rolled back
        ):
            configure(step)
            stand_in.reload()
            assert answers() == expected
        text = (tmp_path / "models.config").read_text()
        # What serve-config never writes: a label moved to a version that was not loaded.
        (tmp_path / "models.config").write_text(text.replace("value: 2", "value: 3"))
        with pytest.raises(ServingError, match="Request to assign label to version 3"):
            stand_in.reload()
        assert answers() == [1, 2]
        (tmp_path / "models.config").write_text(text)
        configure(canary=1)  # Withdrawn: first the label moves, then the version goes.
        stand_in.reload()
        assert answers() == [1, 1]
        shutil.rmtree(tmp_path / "concat_db" / "2")
        configure()
        stand_in.reload()
        assert answers() == [1, 1]
        assert stand_in.models["concat_db"][2].state == "END"
    finally:
        stand_in.stop()


def failing(photos, url, **options):
    with pytest.raises(UserError) as caught:
        query(photos, Server(url, options.pop("timeout", 30)), **{"name": "concat_db"} | options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def test_the_address_of_a_model_is_parted(server):
    with pytest.raises(UserError, match=f"--url {server.url}, and its name, --name eye_cdb"):
        Server(f"{server.url}/v1/models/eye_cdb/labels/stable:predict")


@pytest.mark.parametrize("url", ["localhost:8501", "http://", "ftp://a:1", "http://a:b", "a b"])
def test_an_address_that_is_none(url):
    with pytest.raises(UserError, match="http://HOST:PORT is expected"):
        Server(url)


def test_nobody_listens(photos):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        message = failing(photos, url)
    assert "Nothing listens at 127.0.0.1" in message and "serve-config" in message


@pytest.mark.parametrize(
    "proxy", ["http://me:secret@127.0.0.1:9", "socks5://127.0.0.1:9", "http://nowhere.invalid:1"]
)
def test_a_proxy_that_is_not_reached_is_named(server, photos, monkeypatch, proxy):
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(urllib.request, "_opener", None)  # It read the proxies before.
    message = failing(photos, server.url)
    assert f"through the proxy {proxy.replace('me:secret@', '')} (" in message
    assert "set no_proxy=127.0.0.1" in message and "secret" not in message


@pytest.mark.parametrize("proxy", ["http:", "http://", "http://[:1", "http://a:b"])
def test_a_proxy_that_is_no_address_is_one_sentence(server, photos, monkeypatch, proxy):
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert "through the proxy" in failing(photos, server.url)


def test_an_unknown_host(photos, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host of nowhere.invalid:1 is not known" in failing(photos, "http://nowhere.invalid:1")


def test_the_grpc_port(server, photos):
    message = failing(photos, f"http://{server.grpc}")
    assert "gRPC port" in message and "8501" in message


def test_https_to_a_plain_port(server, photos):
    message = failing(photos, server.url.replace("http", "https"))
    assert "does not speak HTTPS" in message and "http://" in message


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"name": "bconcat_db"}, "no model of this name is loaded"),
        ({"version": "7"}, "this version is not loaded"),
        ({"version": "beta"}, "knows no such label"),
        ({"signature": "predict"}, "choose serving_default, serving_bytes, all_paths"),
        ({"occlusion": "mouth"}, "eyes or none is expected"),
    ],
)
def test_wrong_names(server, photos, options, reason):
    assert reason in failing(photos, server.url, **options)


@pytest.mark.parametrize(
    "version, reason",
    [
        (Version("LOADING"), "version 1 LOADING, none AVAILABLE; wait"),
        (Version("END"), "version 1 END, none AVAILABLE; look at the server's log"),
        (Version("END", "Read less bytes than requested"), "(Read less bytes than requested)"),
        (Version("LOADING", "Data loss"), "(Data loss), none AVAILABLE; look"),
    ],
)
def test_a_model_that_is_not_available(server, photos, version, reason):
    before = server.models["concat_db"][1]
    server.models["concat_db"][1] = version
    try:
        assert reason in failing(photos, server.url)
    finally:
        server.models["concat_db"][1] = before


@pytest.mark.parametrize("state", ["LOADING", "END"])
def test_a_label_whose_version_is_not_available(server, photos, state, monkeypatch):
    """Though another version of the model is: the server lists them all for any label."""
    monkeypatch.setitem(server.models["concat_db"], 2, Version(state))
    monkeypatch.setitem(server.labels, "concat_db", {"stable": 1, "canary": 2})
    query(photos, Server(server.url), "concat_db", "stable")
    message = failing(photos, server.url, version="canary")
    assert f"version 2 {state}, version 1 AVAILABLE, label canary not on an AVAILABLE" in message


def test_a_version_that_cannot_be_loaded_is_explained_in_the_servers_words(tmp_path, photos):
    (tmp_path / "concat_db" / "1").mkdir(parents=True)
    (tmp_path / "concat_db" / "1" / "saved_model.pb").write_bytes(b"junk")
    stand_in = StandIn(tmp_path)
    try:
        assert "version 1 END (" in failing(photos, stand_in.url)
    finally:
        stand_in.stop()


DATA_URI = {"b64": "data:image/png;base64,iVBORw0KGgo="}
JUNK = {"b64": base64.b64encode(b"junk").decode()}
WIDE = {"b64": base64.b64encode(cv2.imencode(".png", np.zeros((48, 96)))[1]).decode()}
BLACK = np.zeros((48, 48, 1), int).tolist()


def cut(suffix, bytes_left=0.7):
    """The first part of a file with a face square."""
    file = cv2.imencode(suffix, draw_portrait(0, 0, 0, size=64))[1].tobytes()
    return {"b64": base64.b64encode(file[: int(bytes_left * len(file))]).decode()}


SMALL = cut(".png", 1)


@pytest.mark.parametrize(
    "body, reason",
    [
        ({"signature_name": "predict_images", "instances": [BLACK]}, "has no such signature"),
        ({"signature_name": "serving_bytes", "instances": [DATA_URI]}, "data:image/png"),
        ({"signature_name": "serving_bytes", "instances": [JUNK]}, "is no JPEG or PNG file."),
        ({"signature_name": "serving_bytes", "instances": [WIDE]}, "pictures cut to the face"),
        ({"signature_name": "serving_bytes", "instances": [SMALL, cut(".png")]}, "one by one"),
        ({"signature_name": "serving_bytes", "instances": [SMALL, cut(".jpg")]}, "one by one"),
        ({"instances": [BLACK[:40]]}, "[N, 48, 48, 1]"),
        ({"instances": [np.zeros((48, 48)).astype(int).tolist()]}, "[N, 48, 48, 1]"),
        ({"instances": [[[0, 1], [2]]]}, "[N, 48, 48, 1]"),
        ({"instances": [[[[0.5]] * 48] * 48]}, "must be uint8"),
        ({"instances": [[[[121.0]] * 48] * 48]}, "121, not 121.0"),
        ({"instances": ["face.png"]}, "must be uint8"),
        ({"instances": [[[[2**31]] * 48] * 48]}, "must be uint8"),
        ({"inputs": {"image_bytes": [JUNK] * 1025}, "signature_name": "serving_bytes"}, "1024"),
        ({"instances": [{"face": BLACK}]}, "`image` in serving_default"),
        ({"inputs": {"face": [BLACK]}}, "`image` in serving_default"),
        ({"images": [BLACK]}, "`image` in serving_default"),
    ],
)
@pytest.mark.parametrize("pretty", [True, False], ids=["JSON", "older"])
def test_what_a_server_refuses_is_explained(server, body, reason, pretty, monkeypatch):
    monkeypatch.setattr(server, "pretty_errors", pretty)
    with pytest.raises(UserError) as caught:
        Server(server.url).request("models/concat_db:predict", body)
    assert reason in str(caught.value) and "look at the server's log" not in str(caught.value)


@pytest.mark.parametrize(
    "message, reason",
    [
        ('Serving signature key "x" not found.', "no such signature"),
        ('Serving signature name: "x" not found in signature def', "no such signature"),
        ("Servable not found for request: Latest(m)", "no model of this name"),
        ("Servable not found for request: Specific(m, 3)", "this version is not loaded"),
        ("Timed out waiting for notification", "fewer photos"),
        ("The batch scheduling queue to which this task was submitted is full", "overloaded"),
        ("Task size 2000 is larger than maximum input batch size 1024", "several requests"),
        ("OOM when allocating tensor with shape[1024,64,112,112]", "too little memory"),
        ("Tensors with name 'a:0' from different tasks have different shapes", "--no-batching"),
        ("JSON Parse error: Invalid encoding in string. at offset: 80", "in one line"),
        ("jpeg::Uncompress failed. Invalid JPEG data or crop window.", "damaged or cut"),
        ("Invalid PNG data, size 812", "damaged or cut"),
        ("Expects arg[0] to be uint8 but float is provided", "must be uint8"),
        ("Expects arg[0] to be string but uint8 is provided", "`image_bytes` strings"),
        (
            "Feature: image/encoded (data type: string) is required but could not be found.",
            "image/encoded",
        ),
        ("Could not parse example input, value: '...'", "image/encoded"),
        ("something new", "look at the server's log"),
    ],
)
def test_explanations_of_what_the_stand_in_never_says(message, reason):
    assert reason in explain(message)


class Other(BaseHTTPRequestHandler):
    """Not TensorFlow Serving."""

    status, body, delay = 200, b"", 0

    def do_GET(self):  # noqa: N802
        time.sleep(self.delay)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def other(request):
    handler = type("Given", (Other,), request.param)
    somebody = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=somebody.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{somebody.server_port}"
    somebody.shutdown()
    somebody.server_close()


@pytest.mark.parametrize(
    "other, reason",
    [
        (
            {"status": 502, "body": b"<html><title>502 Bad Gateway</title></html>"},
            "HTTP 502 with a page titled '502 Bad Gateway', not JSON",
        ),
        ({"body": b"hello"}, "HTTP 200 with 'hello', not JSON"),
        ({"body": b'{"status": "ok"}'}, "not as TensorFlow Serving"),
        ({"body": b'["ok"]'}, "not as TensorFlow Serving"),
        ({"body": b"[" * 100_000}, "not JSON"),
        ({"status": 401, "body": b'{"detail": "key"}'}, "answers \"{'detail': 'key'}\""),
    ],
    indirect=["other"],
)
def test_somebody_else_answers(photos, other, reason):
    assert reason in failing(photos, other, timeout=60)


@pytest.mark.parametrize("other", [{"delay": 2}], indirect=True)
def test_somebody_does_not_answer(photos, other):
    assert "did not answer within 0.5 s" in failing(photos, other, timeout=0.5)


def test_a_model_with_other_outputs_is_named(server, photos, monkeypatch):
    real = server.run
    monkeypatch.setattr(server, "run", lambda *a: ({"score": np.ones((3, 2))}, real(*a)[1]))
    assert "does not answer with class_id, label" in failing(photos, server.url)


def test_paths_of_models():
    assert model_path("a/b", None) == "models/a%2Fb"
    assert model_path("m", "3") == "models/m/versions/3"
    assert model_path("m", "stable") == "models/m/labels/stable"


def test_the_command_prints_the_forms_of_predict(server, photos):
    arguments = ["query", *map(str, photos), "--url", server.url, "--name", "eye_cdb"]
    printed = CliRunner().invoke(cli.app, arguments)
    assert printed.exception is None, printed.output
    assert "none found" in printed.stdout and "eyes covered before sending" in printed.stdout
    printed = CliRunner().invoke(cli.app, [*arguments, "--json"])
    answers = json.loads(printed.stdout)
    assert [answer["photo"] for answer in answers] == [str(photos[0])] * 2 + [str(photos[1])]
    assert list(answers[0]["probabilities"]) == list(EXPRESSIONS)


def test_every_signature_offered_exists(server):
    for signature in SIGNATURES:
        assert signature in server.models["concat_db"][1].definitions
