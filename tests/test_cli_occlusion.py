"""`train occlusion_net`, as a user types it."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

import cli
from fer_tf.data import occluder_dataset as occlusion_net
from fer_tf.errors import UserError
from fer_tf.training import recipes
from fer_tf.training.checkpoint import load_best
from fer_tf.training.recipe import Schedule
from tests.helpers import draw_fer2013
from tests.networks import TINY_RECIPE


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the two databases that make the uncovered one."""
    folder = tmp_path_factory.mktemp("occlusion")
    draw_fer2013(folder / "raw" / "fer2013", count_per_expression=10)
    options = ["--raw-dir", str(folder / "raw"), "--data-dir", str(folder / "data")]
    built = CliRunner().invoke(cli.app, ["build-datasets", "concat_db", "bconcat_db", *options])
    assert built.exception is None, built.output
    return folder


def train(place, *arguments):
    options = [f"--data-dir={place / 'data'}", f"--runs-dir={place / 'runs'}"]
    return CliRunner().invoke(cli.app, ["train", *arguments, *options])


def test_occlusion_is_trained_on_the_uncovered_faces(place, monkeypatch):
    recipe = dataclasses.replace(
        TINY_RECIPE, name="recogniser", schedules={"occlusion_net": Schedule(1, 16, 0.05)}
    )
    monkeypatch.setitem(recipes.RECIPES, "recogniser", lambda: recipe)
    monkeypatch.setattr(occlusion_net, "TRAINING_IMAGES", 250)
    done = train(place, "occlusion_net")
    assert done.exception is None, done.output
    folder = place / "runs" / "uncovered" / "fer2013" / "recogniser" / "occlusion_net"
    lines = done.stdout.splitlines()
    assert f"Wrote {folder}" in lines
    assert "uncovered/fer2013: recognised in validation, on drawn occluders: none " in lines[-2]
    assert all(f"{kind} " in lines[-2] for kind in ("upper", "lower", "eyes"))
    assert lines[-1] == "Next: python cli.py combine any_occlusion/fer2013"
    run = json.loads((folder / "run.json").read_text())
    assert run["finished"] and run["training_images"] == 4 * 56
    assert run["network"] == "occlusion_net" and run["database"] == "uncovered"
    assert load_best(folder).output_shape == (None, 4)

    drawn = []
    draw = occlusion_net.draw_split
    monkeypatch.setattr(
        occlusion_net,
        "draw_split",
        lambda db, split, seed: drawn.append(split) or draw(db, split, seed),
    )
    again = train(place, "occlusion_net")  # Nothing is trained, nor drawn for it.
    assert again.exception is None and again.stdout.splitlines()[-2:] == lines[-2:]
    assert "train" not in drawn and json.loads((folder / "run.json").read_text()) == run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["occlusion_net", "--database", "concat_db"],
            "--database is concat_db; occlusion_net is trained",
        ),
        (["occlusion_net", "--recipe", "quick"], "Recipe quick trains begin, subnet_x, "),
        (
            ["begin", "--recipe", "recogniser"],
            "Recipe recogniser trains occlusion_net, not begin; give",
        ),
        (
            ["all", "--recipe", "recogniser"],
            "Recipe recogniser trains occlusion_net, not begin; give",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(place, arguments, message):
    assert message in str(train(place, *arguments).exception)


@pytest.mark.parametrize("option", [("--seed", "1"), ("--network", "resnet18")])
def test_there_is_one_occlusion_net_for_each_config(place, option):
    done = train(place, "occlusion_net", *option)
    assert isinstance(done.exception, UserError) and "Leave them out" in str(done.exception)
