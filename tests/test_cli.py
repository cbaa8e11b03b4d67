"""The commands, one after the other, as a user types them."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import cli
import fer_tf.cli
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.data.tfrecords import StoredImages
from fer_tf.errors import UserError
from fer_tf.evaluation.paper_tables import BEGIN, END
from fer_tf.export.model_store import MODEL_CARD
from fer_tf.expressions import EXPRESSIONS
from fer_tf.files import plain
from fer_tf.records.manifest import read_manifest
from fer_tf.training import jobs as training_jobs
from fer_tf.training import recipes
from fer_tf.training import train as training
from tests.helpers import draw_fer2013
from tests.networks import TINY_RECIPE
from tests.records import put_manifest

ROOT = Path(cli.__file__).parent


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small FER2013, in which everything is made."""
    folder = tmp_path_factory.mktemp("place") / "[2024]"
    draw_fer2013(folder / "raw" / "fer2013", count_per_expression=10)
    return folder


def run(place, *arguments, fails=False):
    """Runs a command in this process and returns what it printed."""
    folders = {
        "build-datasets": ("raw-dir", "data-dir"),
        "train": ("data-dir", "runs-dir", "models-dir"),
        "combine": ("data-dir", "runs-dir", "models-dir"),
        "evaluate": ("data-dir", "runs-dir", "models-dir"),
        "reproduce": ("data-dir", "runs-dir"),
        "predict": ("models-dir",),
    }[arguments[0]]
    options = [f"--{name}={place / name.removesuffix('-dir')}" for name in folders]
    result = CliRunner().invoke(cli.app, [*map(str, arguments), *options])
    if fails:
        assert result.exception is not None
        return str(result.exception)
    assert result.exception is None, result.output
    return result.stdout


@pytest.fixture(scope="module")
def trained(place):
    """What build-datasets and train all leave, and what they printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "tiny", lambda: TINY_RECIPE)
        built = run(place, "build-datasets", "concat_db", "eye_cdb")
        printed = run(
            place,
            *("train", "all", "--recipe", "tiny"),
            *("--database", "concat_db", "--database", "eye_cdb"),
        )
    return built, printed


def test_build_and_train_say_what_they_wrote_and_what_comes_next(place, trained):
    built, printed = trained
    assert str(place / "data" / "concat_db" / "fer2013" / "1.0.0") in built
    assert "python cli.py train all" in built.splitlines()[-1]
    assert f"Wrote {place / 'models' / 'eye_cdb' / '1'}" in printed
    assert "eye_cdb/fer2013, recipe tiny, SubnetY: epoch 2 of 2, loss" in printed
    parent = place / "runs" / "eye_cdb" / "fer2013" / "tiny"
    assert f"Wrote {parent / 'losses.png'}" in printed and (parent / "losses.png").is_file()
    assert "python cli.py evaluate" in printed.splitlines()[-1]
    assert (place / "models" / "concat_db" / "1" / "saved_model.pb").is_file()


def test_evaluate_in_a_process_of_its_own_writes_its_numbers(place, trained):
    options = ["--data-dir", place / "data", "--runs-dir", place / "runs", "--recipe", "tiny"]
    done = ask("evaluate", "concat_db", *options, "--models-dir", place / "models")
    assert done.returncode == 0, done.stderr
    path = place / "runs" / "concat_db" / "fer2013" / "tiny" / "evaluation.json"
    assert f"Wrote {path}" in done.stdout and "BeginNet" in done.stdout
    rows = json.loads(path.read_text())["results"]
    assert [row["images"] for row in rows] == [7, 3, 2, 2, 7]
    version = place / "models" / "concat_db" / "1"
    assert f"Wrote the accuracies into {version / MODEL_CARD}" in done.stdout
    recorded = [plain(row) for row in read_manifest(version).evaluation.results]
    assert json.loads(json.dumps(recorded)) == rows


def test_reproduce_makes_the_tables_of_what_was_trained(place, trained):
    readme = place / "README.md"
    readme.write_text(f"# x\n{BEGIN}\n{END}\n")
    where = ("--results-dir", place / "results", "--readme", readme)
    printed = run(place, "reproduce", "--recipe", "tiny", *where)
    assert f"Wrote {place / 'results' / 'reproduction.json'}" in printed
    assert "concat_db/fer2013: evaluating" in printed and "eye_cdb/fer2013: evaluating" in printed
    figures = {path.name for path in (place / "results").glob("*.png")}
    kinds = ("losses", "confusion", "reliability")  # None that shows faces.
    names = (f"{db}-fer2013-{kind}.png" for db in ("concat_db", "eye_cdb") for kind in kinds)
    assert figures == set(names)
    text = (place / "results" / "tables.md").read_text()
    assert "| ours: path selection |" in text and "| flat | not run |" in text
    assert "| ours: path selection |" in readme.read_text()
    assert "holds no trained network of recipe quick" in run(place, "reproduce", *where, fails=True)


def test_combine_in_a_process_of_its_own_writes_the_next_version(place, trained):
    options = ["--data-dir", place / "data", "--runs-dir", place / "runs", "--recipe", "tiny"]
    done = ask("combine", "eye_cdb", *options, "--models-dir", place / "combined")
    assert done.returncode == 0, done.stderr
    assert (place / "combined" / "eye_cdb" / "1" / "saved_model.pb").is_file()


def test_a_format_that_fails_leaves_the_versions_of_all_databases(place, trained, monkeypatch):
    def fail(version, kind):
        raise UserError(f"{version} cannot be converted to {kind}: too large.")

    monkeypatch.setattr("fer_tf.export.combine_models.convert", fail)
    monkeypatch.setattr("fer_tf.export.combine.combine", lambda _, folder, *a: folder / "1")
    manifest = put_manifest(place / "unused", warm_up_paths=["A", "B"])
    monkeypatch.setattr("fer_tf.export.combine_models.read_manifest", lambda _: manifest)
    monkeypatch.setitem(recipes.RECIPES, "tiny", lambda: TINY_RECIPE)
    options = ["--recipe", "tiny", "--format", "litert"]
    arguments = ["combine", "concat_db", "eye_cdb", *options, "--data-dir", str(place / "data")]
    done = CliRunner().invoke(cli.app, [*arguments, "--models-dir", str(place / "new")])
    for name in ("concat_db", "eye_cdb"):
        version = place / "new" / name / "1"
        assert f"Wrote {version}" in done.stdout
        assert f"{version} cannot be converted" in str(done.exception)
        assert f"The SavedModel {version} is published" in str(done.exception)
    assert done.exit_code == 1 and done.stdout.count("no drawn face took the path C") == 2


def test_other_formats_of_bfloat16_are_refused_before_anything_is_combined(place, trained):
    options = ["--precision", "bfloat16", "--format", "litert", "--recipe", "tiny"]
    message = run(place, "combine", "concat_db", *options, fails=True)
    assert "--format converts float32 versions alone" in message


@pytest.mark.parametrize("name", ["concat_db", "eye_cdb"])
def test_predict_names_the_expression_of_each_face(place, trained, name):
    photo = place / "photo.png"
    two = np.concatenate([draw_portrait(s, 0, 0, size=256) for s in (3, 4)], axis=1)
    cv2.imwrite(str(photo), two)
    blank = place / "blank.png"
    cv2.imwrite(str(blank), np.zeros((30, 40, 3), np.uint8))
    answers = json.loads(run(place, "predict", photo, blank, "--name", name, "--json"))
    assert [answer["photo"] for answer in answers] == [str(photo)] * 2 + [str(blank)]
    assert answers[0]["square"]["side"] > 60 and answers[2]["square"] is None
    for answer in answers:
        assert answer["label"] == EXPRESSIONS[answer["class_id"]]
        assert list(answer["probabilities"]) == list(EXPRESSIONS)
        assert answer["probability"] == max(answer["probabilities"].values())
        path = answer["path_probabilities"]
        assert answer["path"] == max(path, key=path.get)
        assert sum(answer["probabilities"].values()) == pytest.approx(path[answer["path"]])
    printed = run(place, "predict", photo, blank, "--name", name)
    assert "none found" in printed


def test_predict_asks_which_model_when_there_are_several(place, trained):
    message = run(place, "predict", "photo.png", fails=True)
    assert "concat_db, eye_cdb" in message and "--name" in message


@pytest.mark.parametrize(("option", "on_disk"), [("--stream", True), ("--no-stream", False)])
def test_images_stay_on_disk_when_told(place, trained, monkeypatch, option, on_disk):
    seen = []

    def train_network(network, key, train, validation, *others, **options):
        seen.extend((train[0], validation[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_network", train_network)
    run(place, "train", "begin", "--database", "concat_db", option, fails=True)
    assert [isinstance(images, StoredImages) for images in seen] == [on_disk, on_disk]


def test_databases_of_unknown_name_or_with_a_config_are_not_built(place):
    for name in ("sepa", "concat_db/drawn"):
        assert name in run(place, "build-datasets", name, fails=True)


def test_an_unknown_network_is_refused_before_anything_is_read(place):
    message = run(place, "train", "subnet_w", fails=True)
    assert "'subnet_w'" in message and "subnet_z" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategy", "horovod"], "choose auto, one, mirrored, multi-worker"),
        (["--strategy", "mirrored", "--parallel"], "exclude each other"),
        (["--mixed-precision", "int8"], "choose float16 or bfloat16"),
        (["--batch-size", "0"], "--batch-size is 0; a number above 0 is expected"),
        (["--learning-rate", "-1"], "--learning-rate is -1.0; a number above 0 is expected"),
    ],
)
def test_options_of_training_that_make_no_sense_are_refused(place, trained, options, message):
    given = ("--database", "concat_db", *options)
    assert message in run(place, "train", "begin", *given, fails=True)


@pytest.fixture
def told(monkeypatch):
    """What `train` asked of `train_network`, which trains nothing; the recipe is `tiny`."""
    monkeypatch.setitem(recipes.RECIPES, "tiny", lambda: TINY_RECIPE)
    calls = []

    def train_network(network, key, *_, **options):
        calls.append((network, key, options))
        shown = dict.fromkeys(("epochs_done", "best_epoch", "images_per_second"), 1)
        return shown | {"best_validation_loss": 0.5}

    monkeypatch.setattr(training, "train_network", train_network)
    return calls


def test_options_of_training_reach_it(place, trained, told):
    options = ["--batch-size", "8", "--learning-rate", "0.01", "--mixed-precision", "bfloat16"]
    options += ["--deterministic", "--seed", "3", "--recipe", "tiny", "--database", "concat_db"]
    run(place, "train", "begin", *options)
    ((network, key, given),) = told
    schedule = key.recipe.schedules["begin"]
    assert (network, schedule.batch_size, schedule.learning_rate) == ("begin", 8, 0.01)
    assert (key.precision, key.seed, given["session"].deterministic) == ("bfloat16", 3, True)


def test_another_network_without_attention_and_another_seed_have_runs_of_their_own(
    place, trained, told
):
    for options, name in (
        (["--network", "resnet18", "--seed", "3"], "tiny-resnet18-seed3"),
        (["--no-attention"], "tiny-no_attention"),
    ):
        given = (*options, "--recipe", "tiny", "--database", "concat_db")
        printed = run(place, "train", "flat", *given)
        _, key, _ = told[-1]
        assert key.recipe.backbone.bottleneck == ("resnet18" not in name)
        assert not key.recipe.attention
        assert f"concat_db/fer2013/{name}/flat" in printed
        assert f"--recipe {name}" in printed.splitlines()[-1]
    unknown = ("--network", "vgg", "--recipe", "tiny", "--database", "concat_db")
    assert "'vgg'; choose one of resnet18" in run(place, "train", "flat", *unknown, fails=True)


def test_parallel_on_one_device_says_that_it_would_not_help(place, trained, told, monkeypatch):
    monkeypatch.setattr(training_jobs, "visible_gpus", lambda: ["0"])
    given = ("--recipe", "tiny", "--database", "concat_db", "--parallel")
    assert "--parallel would not help on one device" in run(place, "train", "flat", *given)
    assert [call[0] for call in told] == ["flat"]


def test_parallel_trains_each_network_in_a_process_of_its_own(place, trained, told, monkeypatch):
    started = {}
    monkeypatch.setattr(training_jobs, "visible_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(training_jobs, "run_on_gpus", lambda commands, *_: started.update(commands))
    given = ("--recipe", "tiny", "--database", "concat_db", "--parallel", "--batch-size", "8")
    run(place, "train", "all", *given)  # And combines what was trained before.
    assert [name.split()[1] for name in started] == ["begin", "subnet_x", "subnet_y", "subnet_z"]
    command = started["concat_db/fer2013 subnet_y"]
    assert command[1:5] == ["-m", "fer_tf.cli", "train", "subnet_y"] and "--parallel" not in command
    assert command[command.index("--batch-size") + 1] == "8"
    assert command[command.index("--strategy") + 1] == "one"
    with pytest.MonkeyPatch.context() as patch:  # The command line takes that command.
        patch.setattr(sys, "argv", command[2:])
        assert CliRunner().invoke(cli.app, command[3:]).exception is None
    assert [(call[0], call[1].database) for call in told] == [("subnet_y", "concat_db")]


def test_parallel_trains_first_what_others_init_from(place, trained, told, monkeypatch):
    recipe = dataclasses.replace(TINY_RECIPE, init_from="flat")
    monkeypatch.setitem(recipes.RECIPES, "tiny", lambda: recipe)
    started = []
    monkeypatch.setattr(training_jobs, "visible_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(training_jobs, "run_on_gpus", lambda commands, *_: started.append(commands))
    run(place, "train", "all", "--recipe", "tiny", "--database", "concat_db", "--parallel")
    assert [[name.split()[1] for name in part] for part in started] == [
        ["flat"],
        ["begin", "subnet_x", "subnet_y", "subnet_z"],
    ]


def test_interrupted_training_says_how_to_go_on(place, trained, told, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_network", interrupt)
    given = ["--recipe", "tiny", "--database", "concat_db", "--data-dir", str(place / "data")]
    result = CliRunner().invoke(cli.app, ["train", "begin", *given])
    assert result.exit_code == 130
    assert "The same command, without --restart, goes on" in result.stderr


def ask(*arguments, **options):
    return subprocess.run(
        [sys.executable, ROOT / "cli.py", *arguments], capture_output=True, text=True, **options
    )


def test_a_mistake_is_one_sentence_on_stderr(tmp_path):
    done = ask("train", "all", "--data-dir", tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("Error: concat_db is not prepared under ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device; make room"),
        (OSError(28, "No space left on device", "a.csv"), "No space left on device: a.csv; make"),
        (PermissionError(13, "Permission denied", "b.csv"), "Permission denied: b.csv"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(monkeypatch, capsys, error, said):
    monkeypatch.setattr(fer_tf.cli, "app", mock.Mock(side_effect=error))
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    printed = capsys.readouterr().err
    assert printed.startswith(f"Error: {said}") and "None" not in printed


def test_help_imports_neither_tensorflow_nor_numpy(tmp_path):
    code = (
        "import sys, runpy; sys.argv = ['cli.py', 'train', '--help']\n"
        f"try: runpy.run_path({str(ROOT / 'cli.py')!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print({'tensorflow', 'keras', 'numpy', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "--recipe" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
