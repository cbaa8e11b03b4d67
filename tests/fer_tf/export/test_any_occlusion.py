import csv
import json
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import cli
from fer_tf.data.database import KINDS, Database
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.export.any_occlusion import combine_any_occlusion, find_run_folders
from fer_tf.export.contract import USUAL_OPTIONS
from fer_tf.export.model_store import MODEL_CARD, record_evaluation
from fer_tf.export.warmup import routes
from fer_tf.expressions import MULTI_NETWORK
from fer_tf.files import write_record
from fer_tf.inference.predict import find_model
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import DATABASES, RECOGNISED
from fer_tf.records.manifest import read_manifest
from fer_tf.records.run import RUN_FILE, read_run, write_run
from fer_tf.training.recipes import RECOGNISER, get_recipe
from fer_tf.training.run_folder import BEST, RunKey, checkpoint_sha256
from tests.c_api import replay_warm_up
from tests.fer_tf.export.test_combine import RESULT, ROW, evaluation
from tests.networks import TINY_RECIPE, corner_net, faces_of_kinds
from tests.records import put_run
from tests.served import SIGNATURES, as_request

COMBINED_ROW = replace(ROW, name="combined")


def make_run(runs_dir, key, name, network):
    folder = key.folder(runs_dir, name)
    folder.mkdir(parents=True)
    network.save(folder / BEST)
    put_run(folder, **vars(key.setup(name)), **RESULT)
    return folder


def make_runs(runs_dir, networks, databases=DATABASES):
    """Finished runs of OcclusionNet and of the four networks on each database."""
    for database in databases:
        # Black eyes make other pictures of the same faces.
        fingerprint = "black eyes" if database == "eye_cdb" else "faces"
        key = RunKey(database, "drawn", fingerprint, KINDS[database], TINY_RECIPE)
        for name in MULTI_NETWORK:
            make_run(runs_dir, key, name, networks[name])
    key = RunKey("uncovered", "drawn", "faces", "none", get_recipe(RECOGNISER))
    return make_run(runs_dir, key, OCCLUSION_NET, corner_net())


@pytest.fixture(scope="module")
def version(networks, tmp_path_factory):
    place = tmp_path_factory.mktemp("any")
    recogniser_folder = make_runs(place / "runs", networks)
    folders = find_run_folders(place / "runs", "drawn", "tiny")
    return combine_any_occlusion(recogniser_folder, folders, place / "models" / "any_occlusion")


@pytest.fixture(scope="module")
def signatures(version):
    return tf.saved_model.load(version).signatures


def test_every_signature_returns_the_occlusion_and_the_usual_outputs(signatures):
    kinds = ["upper", "none", "eyes", "lower", "upper", "none", "eyes"]
    images = faces_of_kinds(kinds)
    answers = {}
    for signature in ("serving_default", "serving_bytes", "all_paths"):
        request = tf.constant(as_request(signature, images))
        ask = signatures[signature]
        answer = {k: v.numpy() for k, v in ask(**{SIGNATURES[signature]: request}).items()}
        assert [kind.decode() for kind in answer["occlusion"]] == kinds
        occlusion_probabilities = answer["occlusion_probabilities"]
        assert occlusion_probabilities.dtype == np.float32 and occlusion_probabilities.shape == (
            7,
            4,
        )
        assert [RECOGNISED[i] for i in occlusion_probabilities.argmax(axis=-1)] == kinds
        chosen = answer["probabilities"][np.arange(7), answer["class_id"]]
        np.testing.assert_allclose(answer["probability"], chosen, atol=1e-6)
        answers[signature] = answer
    for name, values in answers["serving_default"].items():
        if values.dtype == object:
            assert list(values) == list(answers["serving_bytes"][name])
        else:
            np.testing.assert_allclose(values, answers["serving_bytes"][name], atol=1e-6)
    routed, all_paths = answers["serving_default"], answers["all_paths"]
    taken = routed["probabilities"] > 0
    assert taken.sum(axis=-1).max() == 3 and (all_paths["probabilities"] > 0).all()
    np.testing.assert_allclose(
        routed["probabilities"][taken], all_paths["probabilities"][taken], atol=1e-5
    )


@pytest.mark.parametrize("signature", SIGNATURES)
def test_an_empty_request_gets_empty_outputs(signatures, signature):
    ask = signatures[signature]
    request = as_request(signature, faces_of_kinds([]))
    kind = tf.uint8 if SIGNATURES[signature] == "image" else tf.string
    values = request if kind == tf.uint8 else request.tolist()
    answer = ask(**{SIGNATURES[signature]: tf.constant(values, kind)})
    assert all(value.shape[0] == 0 for value in answer.values())


def test_the_manifest_lists_all_networks(version, networks):
    manifest = read_manifest(version)
    assert (manifest.database, manifest.occlusion) == ("any_occlusion", "any")
    assert (manifest.config, manifest.recipe) == ("drawn", "tiny")
    assert manifest.answering["none"] == "eye_cdb"
    names = [f"{database}/{network}" for database in DATABASES for network in MULTI_NETWORK]
    assert list(manifest.networks) == [OCCLUSION_NET, *names]
    runs = version.parents[2] / "runs"
    folder = runs / "eye_cdb" / "drawn" / "tiny" / "subnet_z"
    assert manifest.networks["eye_cdb/subnet_z"].sha256 == checkpoint_sha256(folder)
    assert set(manifest.warm_up_paths) <= set(routes(True))
    assert sorted(replay_warm_up(version)) == sorted(SIGNATURES)
    card = (version / MODEL_CARD).read_text()
    assert "none by eye_cdb" in card and "| bconcat_db: SubnetY |" in card
    assert "| OcclusionNet |" in card


def test_an_evaluation_of_one_database_reaches_its_card(version, networks):
    sha256 = {
        name.removeprefix("eye_cdb/"): row.sha256
        for name, row in read_manifest(version).networks.items()
        if name.startswith("eye_cdb/")
    }
    numbers = evaluation("eye_cdb/drawn", sha256=sha256, results=[COMBINED_ROW])
    for _ in range(2):  # Once more it stands in the place of what was.
        assert record_evaluation(version.parents[1], numbers) == [version]
    card = (version / MODEL_CARD).read_text()
    assert card.count("eye_cdb: combined | 9 | 67.2 (60.0 to 70.0)") == 1
    assert "not of this model as a whole" in card
    other = replace(numbers, sha256=sha256 | {"begin": "another"})
    assert record_evaluation(version.parents[1], other) == []


def test_networks_that_return_nan_are_not_published(networks, tmp_path):
    broken = keras.models.clone_model(networks["begin"])
    broken.set_weights([np.full(w.shape, np.nan) for w in networks["begin"].get_weights()])
    recogniser_folder = make_runs(tmp_path, networks)
    folders = find_run_folders(tmp_path, "drawn", "tiny")
    broken.save(folders["bconcat_db"]["begin"] / BEST)
    with pytest.raises(UserError, match="no finite probability; nothing was published"):
        combine_any_occlusion(recogniser_folder, folders, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_it_is_the_default_model(version):
    other = version.parents[1] / "concat_db" / "1"
    other.mkdir(parents=True, exist_ok=True)
    assert find_model(None, version.parents[1]) == version


def test_predict_reports_the_occlusion(version, tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), draw_portrait(3, 0, 0, size=256))
    table = tmp_path / "faces.csv"
    options = ["--models-dir", str(version.parents[1]), "--csv", str(table)]
    done = CliRunner().invoke(cli.app, ["predict", str(photo), *options, "--json"])
    assert done.exception is None, done.output
    (face,) = json.loads(done.stdout)
    occlusion_probabilities = face["occlusion_probabilities"]
    assert list(occlusion_probabilities) == list(RECOGNISED) and sum(
        occlusion_probabilities.values()
    ) == pytest.approx(1)
    assert face["occlusion"] == max(occlusion_probabilities, key=occlusion_probabilities.get)
    (row,) = csv.DictReader(table.open())
    assert row["occlusion"] == face["occlusion"]
    assert float(row["occlusion_upper"]) == pytest.approx(
        occlusion_probabilities["upper"], abs=1e-6
    )
    done = CliRunner().invoke(cli.app, ["predict", str(photo), *options])
    assert " covered " in done.stdout and f" {face['occlusion']}" in done.stdout


@pytest.fixture
def prepared(monkeypatch):
    """Databases that are prepared as far as anything looks."""
    monkeypatch.setattr(
        "fer_tf.export.combine_models.find_database",
        lambda name, folder: Database(name.partition("/")[0], "drawn", folder),
    )


def test_the_command_combines_the_runs(version, tmp_path, prepared, monkeypatch):
    runs = version.parents[2] / "runs"
    captured = []

    def combine(*arguments):
        captured.extend(arguments)
        return version

    monkeypatch.setattr("fer_tf.export.any_occlusion.combine_any_occlusion", combine)
    options = ["--recipe", "tiny", "--runs-dir", str(runs), "--models-dir", str(tmp_path)]
    done = CliRunner().invoke(cli.app, ["combine", "any_occlusion/drawn", *options])
    assert done.exception is None, done.output
    recogniser_folder, folders, model, replace, options = captured
    assert recogniser_folder == runs / "uncovered" / "drawn" / RECOGNISER / OCCLUSION_NET
    assert folders == find_run_folders(runs, "drawn", "tiny")
    assert (model, replace, options) == (tmp_path / "any_occlusion", False, USUAL_OPTIONS)
    assert f"Wrote {version}" in done.stdout
    assert "train all --database uncovered/drawn" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["any_occlusion", "concat_db"], "name it alone"),
        (["any_occlusion", "--format", "onnx"], "a SavedModel only"),
        (["concat_db", "--name", "any_occlusion"], "is for the model of all databases"),
    ],
)
def test_impossible_options_of_the_command_are_refused(prepared, arguments, message):
    done = CliRunner().invoke(cli.app, ["combine", *arguments])
    assert isinstance(done.exception, UserError) and message in str(done.exception)


def test_trained_networks_of_uncovered_faces_are_included(networks, tmp_path, monkeypatch):
    captured = {}
    monkeypatch.setattr(
        "fer_tf.export.signatures.export_any_occlusion",
        lambda net, loaded, *_: captured.update(loaded),
    )
    monkeypatch.setattr(
        "fer_tf.export.any_occlusion.publish", lambda _f, write, captured: (write(None), captured)
    )
    recogniser_folder = make_runs(tmp_path, networks, KINDS)
    folders = find_run_folders(tmp_path, "drawn", "tiny")
    sha256 = {name: checkpoint_sha256(each) for name, each in folders["eye_cdb"].items()}
    for name, begin in (("eye_cdb", sha256["begin"]), ("concat_db", "another")):
        numbers = evaluation(
            f"{name}/drawn", sha256=sha256 | {"begin": begin}, results=[COMBINED_ROW]
        )
        write_record(folders[name]["begin"].parent / "evaluation.json", numbers)
    _, manifest = combine_any_occlusion(recogniser_folder, folders, tmp_path / "models")
    assert set(captured) == set(RECOGNISED) and manifest.answering["none"] == "uncovered"
    assert [row.name for row in manifest.evaluation.results] == ["eye_cdb: combined"]
    assert manifest.usual_eyes == 0
    (folders["uncovered"]["subnet_x"] / RUN_FILE).unlink()
    assert "uncovered" not in find_run_folders(tmp_path, "drawn", "tiny")


def change(folder, **changes):
    write_run(folder, replace(read_run(folder), **changes))


def test_runs_that_do_not_belong_together_are_refused(networks, tmp_path):
    recogniser_folder = make_runs(tmp_path / "runs", networks)
    folders = find_run_folders(tmp_path / "runs", "drawn", "tiny")
    models = tmp_path / "models"

    def refused(message):
        with pytest.raises(UserError, match=message):
            combine_any_occlusion(recogniser_folder, folders, models)
        assert not models.exists()

    change(recogniser_folder, data_fingerprint="other faces")
    refused("trained on other faces.*train occlusion_net --database uncovered/drawn --restart")
    change(recogniser_folder, data_fingerprint="faces")
    for network in MULTI_NETWORK:
        change(folders["bconcat_db"][network], data_fingerprint="older faces")
    refused("trained on other faces.*train begin --database bconcat_db/drawn --restart")
    for network in MULTI_NETWORK:
        change(folders["bconcat_db"][network], data_fingerprint="faces")
    for network in MULTI_NETWORK:
        change(folders["bconcat_db"][network], training_precision="bfloat16")
    refused("training_precision bfloat16, concat_db with float32")
    for network in MULTI_NETWORK:
        recipe = read_run(folders["bconcat_db"][network]).recipe
        recipe = replace(recipe, backbone=recipe.backbone | {"groups": 2})
        change(folders["bconcat_db"][network], training_precision="float32", recipe=recipe)
    refused("backbone .*'groups': 2.* concat_db with .*'groups': 4")
    change(folders["eye_cdb"]["subnet_y"], finished=False)
    refused("subnet_y .*eye_cdb.* is not finished")
    with pytest.raises(UserError, match="no subnet_y .*train all --database eye_cdb/drawn"):
        find_run_folders(tmp_path / "runs", "drawn", "tiny")
    (recogniser_folder / RUN_FILE).unlink()
    refused("run of occlusion_net .* is missing; run `python cli.py train occlusion_net`")
