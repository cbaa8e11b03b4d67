import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from unittest import mock

import numpy as np
import pytest

from fer_tf.errors import UserError
from fer_tf.export import model_store as versions
from fer_tf.export.combine import combine
from fer_tf.export.model_store import MODEL_CARD, find_versions, record_evaluation
from fer_tf.export.warmup import WARM_UP
from fer_tf.expressions import EXPRESSIONS
from fer_tf.files import write_json, write_record
from fer_tf.records.evaluation import Evaluation, NetworkScores
from fer_tf.records.manifest import MANIFEST, NetworkEntry, NetworkEvaluation, read_manifest
from fer_tf.records.run import RUN_FILE, RecipeRecord
from fer_tf.training.run_folder import BEST, RunKey, checkpoint_sha256
from tests.networks import TINY_RECIPE
from tests.records import put_manifest, put_run

RESULT = {
    **{"finished": True, "best_epoch": 1, "best_validation_loss": 1.0, "fer_tf": "0"},
    "training_images": 70,
}
SCORES = {
    **{"images": 9, "accuracy": 0.6721, "accuracy_95": (0.6, 0.7)},
    **{"balanced_accuracy": 0.55, "balanced_accuracy_95": (0.5, 0.6)},
    **{"macro_f1": 0.5, "macro_f1_95": (0.4, 0.6), "majority_baseline": 0.5, "chance": 1 / 3},
}
ROW = NetworkScores(name="BeginNet", **SCORES)


def evaluation(database="concat_db/drawn", **changes):
    numbers = Evaluation(
        database=database,
        split="test",
        recipe="tiny",
        labels=list(EXPRESSIONS),
        images=9,
        groups=9,
        sha256={},
        results=[ROW],
    )
    return replace(numbers, **changes)


def make_runs(runs_dir, networks, config="drawn", **changes):
    """Finished runs of the four networks, as training leaves them."""
    folders = {}
    for name, network in networks.items():
        key = RunKey("concat_db", config, "fingerprint", "upper", TINY_RECIPE)
        folders[name] = key.folder(runs_dir, name)
        folders[name].mkdir(parents=True)
        network.save(folders[name] / BEST)
        put_run(folders[name], **vars(key.setup(name)) | RESULT | changes.get(name, {}))
    return folders


@pytest.fixture
def no_export(monkeypatch):
    """For tests of what stands around the graph: making one takes seconds."""

    def write_folder(_networks, _occlusion, folder, _precision):
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()

    def write_requests(version):
        (version / WARM_UP).parent.mkdir()
        return ["A", "B", "C"]

    monkeypatch.setattr("fer_tf.export.signatures.export", write_folder)
    monkeypatch.setattr("fer_tf.export.warmup.write_warm_up", write_requests)
    monkeypatch.setattr("fer_tf.training.checkpoint.load_best", lambda folder: None)


def test_a_version_contains_graph_manifest_card_and_warm_up_requests(networks, tmp_path):
    folders = make_runs(tmp_path / "runs", networks)
    version = combine(folders, tmp_path / "models" / "concat_db")
    assert version == tmp_path / "models" / "concat_db" / "1"
    assert (version / "saved_model.pb").is_file() and (version / WARM_UP).is_file()
    assert (version / MODEL_CARD).read_text().startswith("# concat_db, version 1\n")
    manifest = read_manifest(version)
    assert (manifest.database, manifest.config) == ("concat_db", "drawn")
    assert manifest.recipe == "tiny" and manifest.labels == list(EXPRESSIONS)
    assert manifest.networks["subnet_z"].sha256 == checkpoint_sha256(folders["subnet_z"])
    assert manifest.warm_up_paths == ["A", "B", "C"] and manifest.precision == "float32"


def test_versions_count_up(networks, tmp_path, no_export):
    folders = make_runs(tmp_path / "runs", networks)
    models = tmp_path / "models" / "concat_db"
    (models / "8").mkdir(parents=True)
    assert combine(folders, models, replace=True) == models / "9"  # 9, not 1 or 2.
    assert combine(folders, models) == models / "10"
    assert [path.name for path in find_versions(models)] == ["8", "9", "10"]
    assert len(list(models.iterdir())) == 3


def test_only_old_files_of_interrupted_processes_are_removed(
    networks, tmp_path, no_export, monkeypatch
):
    folders = make_runs(tmp_path / "runs", networks)
    models = tmp_path / "models"
    (models / "writing-now").mkdir(parents=True)
    (models / "writing-long ago").mkdir()
    os.utime(models / "writing-long ago", (0, 0))
    described = versions._describe
    faster = []

    def while_another_publishes(*arguments):
        described(*arguments)
        if not faster:
            faster.append(models / "1")
            (models / "1" / "variables").mkdir(parents=True)

    monkeypatch.setattr(versions, "_describe", while_another_publishes)
    version = combine(folders, models)
    assert version == models / "2"
    assert (version / MODEL_CARD).read_text().startswith("# models, version 2\n")
    assert sorted(path.name for path in models.iterdir()) == ["1", "2", "writing-now"]
    assert version.stat().st_mode & 0o055 == 0o055  # A server of another user may read it.


TINY_BUT = {
    "image_size": lambda recipe: recipe | {"image_size": 64},
    "dropout": lambda recipe: recipe | {"dropout": 0.5},
    "backbone.groups": lambda recipe: recipe | {"backbone": recipe["backbone"] | {"groups": 9}},
}


@pytest.mark.parametrize("field", TINY_BUT)
def test_networks_of_other_recipes_are_refused(field, networks, tmp_path):
    recipe = asdict(TINY_RECIPE.record("subnet_z"))
    other = json.loads(json.dumps(TINY_BUT[field](recipe)))
    changed = {"recipe": RecipeRecord(**other)}
    folders = make_runs(tmp_path / "runs", networks, subnet_z=changed)
    with pytest.raises(UserError) as error:
        combine(folders, tmp_path / "models")
    keys = field.split(".")
    one, two = recipe[keys[0]], other[keys[0]]
    for key in keys[1:]:
        one, two = one[key], two[key]
    begin, subnet = folders["begin"], folders["subnet_z"]
    assert f"{begin} and {subnet} differ in recipe.{field}: {one} and {two}." in str(error.value)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("database", "concat_db", "eye_cdb"),
        ("config", "drawn", "fer2013"),
        ("data_fingerprint", "fingerprint", "another"),
        ("occlusion", "upper", "lower"),
        ("labels", list(EXPRESSIONS), sorted(EXPRESSIONS)),
    ],
)
def test_networks_of_other_data_are_refused(field, value, other, networks, tmp_path):
    folders = make_runs(tmp_path / "runs", networks, subnet_y={field: other})
    with pytest.raises(UserError) as error:
        combine(folders, tmp_path / "models")
    begin, subnet = folders["begin"], folders["subnet_y"]
    assert f"{begin} and {subnet} differ in {field}: {value} and {other}." in str(error.value)
    assert not (tmp_path / "models").exists()


def test_networks_initialised_from_another_flat_network_are_refused(networks, tmp_path, no_export):
    recipe = replace(TINY_RECIPE.record("begin"), init_from="flat")
    began = {"recipe": recipe, "init_sha256": hashlib.sha256(b"flat").hexdigest()}
    folders = make_runs(tmp_path / "runs", networks, **{name: began for name in networks})
    flat = folders["begin"].with_name("flat")
    combine(folders, tmp_path / "models")  # Without a flat network beside.
    flat.mkdir()
    (flat / BEST).write_bytes(b"flat")
    combine(folders, tmp_path / "models")
    (flat / BEST).write_bytes(b"trained anew")
    with pytest.raises(UserError, match="begin started from a flat that is gone.*--restart"):
        combine(folders, tmp_path / "models")


def test_networks_that_are_not_trained_are_refused(networks, tmp_path):
    folders = make_runs(tmp_path / "runs", networks, subnet_x={"finished": False})
    with pytest.raises(UserError, match="subnet_x .* not finished; .*train subnet_x"):
        combine(folders, tmp_path / "models")
    (folders["subnet_x"] / RUN_FILE).unlink()
    with pytest.raises(UserError, match="subnet_x .* is missing; .*train subnet_x"):
        combine(folders, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_only_scores_of_these_networks_enter_the_manifest(networks, tmp_path, no_export):
    folders = make_runs(tmp_path / "runs", networks)
    models = tmp_path / "models"
    assert read_manifest(combine(folders, models)).evaluation is None
    path = folders["begin"].parent / "evaluation.json"
    write_record(path, evaluation())  # Of whichever networks stood there.
    assert read_manifest(combine(folders, models)).evaluation is None
    sha256 = {name: checkpoint_sha256(folder) for name, folder in folders.items()}
    write_record(path, evaluation(sha256=sha256))
    version = combine(folders, models)
    assert read_manifest(version).evaluation.results == [ROW]
    assert "| BeginNet | 9 | 67.2 (60.0 to 70.0) |" in (version / MODEL_CARD).read_text()
    (folders["subnet_z"] / BEST).write_bytes(b"trained again")
    version = combine(folders, models)
    assert read_manifest(version).evaluation is None
    assert "Not evaluated" in (version / MODEL_CARD).read_text()


def test_accuracies_are_recorded_in_the_versions_that_were_measured(networks, tmp_path, no_export):
    """As after `train all` on three databases, which combines each before any is evaluated."""
    folders = make_runs(tmp_path / "runs", networks)
    models = tmp_path / "models"
    measured = [combine(folders, models / name) for name in ("concat_db", "other")]
    sha256 = {name: checkpoint_sha256(folder) for name, folder in folders.items()}
    numbers = evaluation(sha256=sha256)
    (folders["subnet_z"] / BEST).write_bytes(b"trained again")
    later = combine(folders, models / "concat_db")
    (models / "foreign" / "1").mkdir(parents=True)  # Not made by `combine`.
    assert record_evaluation(models, numbers) == measured
    for version in measured:
        assert read_manifest(version).evaluation == NetworkEvaluation(split="test", results=[ROW])
        card = (version / MODEL_CARD).read_text()
        assert card.startswith(f"# {version.parent.name}, version 1\n")
        assert "| BeginNet | 9 | 67.2 (60.0 to 70.0) |" in card
    assert read_manifest(later).evaluation is None
    assert "Not evaluated" in (later / MODEL_CARD).read_text()


def test_two_evaluations_at_once_are_both_recorded(tmp_path):
    """Of two databases of one model: each has rows of its own in the same manifest."""
    version = tmp_path / "any_occlusion" / "1"
    names = [f"db{number}" for number in range(8)]
    entry = {"seed": 0, "training_images": 70, "best_epoch": 1, "best_validation_loss": 1.0}
    entries = {f"{name}/begin": NetworkEntry(**entry, sha256=name) for name in names}
    put_manifest(version, occlusion="any", answering={"none": "uncovered"}, networks=entries)

    def record(name):
        record_evaluation(tmp_path, evaluation(name, sha256={"begin": name}))

    # What the card says is tested elsewhere.
    with mock.patch("fer_tf.export.model_card.model_card", lambda *_: "card"):
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(record, names))
    recorded = read_manifest(version).evaluation.results
    assert sorted(row.name for row in recorded) == [f"{name}: BeginNet" for name in names]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_manifest_or_evaluation_is_named(content, networks, tmp_path, no_export):
    folders = make_runs(tmp_path / "runs", networks)
    path = folders["begin"].parent / "evaluation.json"
    path.write_text(content)
    with pytest.raises(UserError, match="evaluation.json .*; give `python cli.py evaluate` again"):
        combine(folders, tmp_path / "models")
    path.unlink()
    version = combine(folders, tmp_path / "models")
    (version / MANIFEST).write_text(content)
    with pytest.raises(UserError, match="manifest.json .*; make the model again"):
        combine(folders, tmp_path / "models")


def test_the_card_names_a_path_without_warm_up(networks, tmp_path, no_export, monkeypatch):
    folders = make_runs(tmp_path / "runs", networks)
    assert "cover every" in (combine(folders, tmp_path / "models") / MODEL_CARD).read_text()
    monkeypatch.setattr("fer_tf.export.warmup.write_warm_up", lambda _: ["A"])
    monkeypatch.setattr(
        "fer_tf.export.signatures.export", lambda *a: (a[2] / MODEL_CARD).parent.mkdir(parents=True)
    )
    card = (combine(folders, tmp_path / "models") / MODEL_CARD).read_text()
    assert "paths B and C, which no drawn face took, were not tried" in card


def test_package_versions_that_differ_are_noted(networks, tmp_path, no_export):
    other = {"packages": {"keras": "3.14.0"}, "fer_tf": "0"}
    folders = make_runs(tmp_path / "runs", networks, subnet_y=other)
    networks_made = read_manifest(combine(folders, tmp_path / "models")).networks
    assert networks_made["subnet_y"].packages == {"keras": "3.14.0"}
    assert networks_made["subnet_x"].packages is None
    assert networks_made["subnet_y"].fer_tf is None


def test_a_run_file_of_another_program_is_named(networks, tmp_path):
    folders = make_runs(tmp_path / "runs", networks)
    path = folders["subnet_y"] / RUN_FILE
    run = json.loads(path.read_text())
    del run["data_fingerprint"], run["seed"]
    write_json(path, run)
    with pytest.raises(UserError, match="subnet_y.* lacks data_fingerprint, seed.* --restart"):
        combine(folders, tmp_path / "models")
    path.write_text("{")
    with pytest.raises(UserError, match="subnet_y.* is no JSON"):
        combine(folders, tmp_path / "models")


def test_a_version_of_other_data_is_refused_beside_existing_ones(networks, tmp_path, no_export):
    models = tmp_path / "models"
    combine(make_runs(tmp_path, networks, "fer2013"), models)
    toy = make_runs(tmp_path, networks, "drawn")
    with pytest.raises(UserError, match="config fer2013, the new version with drawn.*--replace"):
        combine(toy, models)
    assert len(find_versions(models)) == 1
    assert combine(toy, models, replace=True).name == "2"


def test_an_export_that_fails_leaves_no_version(networks, tmp_path, no_export, monkeypatch):
    folders = make_runs(tmp_path, networks)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions, "write_record", full)
    with pytest.raises(OSError, match="No space"):
        combine(folders, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_a_version_that_fails_its_warm_up_is_not_published(networks, tmp_path, monkeypatch):
    folders = make_runs(tmp_path / "runs", networks)
    weights = networks["begin"].get_weights()
    try:
        networks["begin"].set_weights([np.full_like(value, np.nan) for value in weights])
        networks["begin"].save(folders["begin"] / BEST)
    finally:
        networks["begin"].set_weights(weights)
    with pytest.raises(UserError, match="no finite probability; nothing was published"):
        combine(folders, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_networks_of_another_partition_are_not_published(networks, tmp_path):
    """With sizes as before nothing else would tell: labels would come out wrong."""
    paths = {"A": ["Happiness", "Normal", "Sadness"], "B": ["Anger", "Disgust"]}
    paths["C"] = ["Fear", "Surprise"]
    folders = make_runs(tmp_path, networks, **{name: {"paths": paths} for name in networks})
    with pytest.raises(UserError, match=r"Anger, Disgust \| Fear, Surprise; .* now has"):
        combine(folders, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_card_of_uncovered_faces_says_that_nothing_is_covered(networks, tmp_path, no_export):
    changes = {name: {"occlusion": "none"} for name in networks}
    version = combine(make_runs(tmp_path / "runs", networks, **changes), tmp_path / "models")
    assert "Covered: nothing" in (version / MODEL_CARD).read_text()
