import json
from dataclasses import replace

import pytest

from fer_tf.errors import UserError
from fer_tf.files import write_json
from fer_tf.records.run import RUN_FILE, RecipeRecord, is_finished, read_run, write_run
from tests.records import put_run


def test_reading_a_run_gives_what_was_written(tmp_path):
    run = put_run(tmp_path / "begin", packages={"keras": "3"}, best_validation_loss=0.5)
    assert read_run(tmp_path / "begin") == run and is_finished(tmp_path / "begin")
    unfinished = replace(run, finished=False)
    write_run(tmp_path / "begin", unfinished)
    assert not is_finished(tmp_path / "begin")
    assert run.setup == unfinished.setup
    assert read_run(tmp_path) is None and not is_finished(tmp_path)


def test_a_run_of_an_earlier_version_is_upgraded(tmp_path):
    put_run(tmp_path, network="occlusion_net", recipe=RecipeRecord(name="x", backbone={}))
    values = json.loads((tmp_path / RUN_FILE).read_text())
    values |= {"network": "occlusion", "started_from": "0a"}
    values["recipe"] = {"name": "x", "backbone": {"groups": 4}, "start_from": "flat"}
    write_json(tmp_path / RUN_FILE, values)
    run = read_run(tmp_path)
    assert (run.network, run.init_sha256) == ("occlusion_net", "0a")
    assert (run.recipe.init_from, run.recipe.optimizer) == ("flat", "sgd")
    assert run.recipe.backbone["groups"] == 4 and run.recipe.backbone["stem_strides"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "zero"}, r"is not understood \(Expected `int`, got `str`.*seed`\); train again"),
        ({"sead": 0}, "has sead, which this version of the program does not know; train again"),
        ({"recipe": {}}, r"is not understood \(.*`name`.*\); train again"),
    ],
)
def test_an_unknown_file_is_refused_in_a_sentence(tmp_path, changes, message):
    put_run(tmp_path)
    values = json.loads((tmp_path / RUN_FILE).read_text())
    write_json(tmp_path / RUN_FILE, values | changes)
    with pytest.raises(UserError, match=f"run.json {message}"):
        read_run(tmp_path)
