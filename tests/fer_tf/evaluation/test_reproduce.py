import csv
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fer_tf.errors import UserError
from fer_tf.evaluation.markdown import central_tables, other_tables
from fer_tf.evaluation.paper_tables import BEGIN, END, update_readme
from fer_tf.evaluation.reproduce import add_tables, find_evaluable, with_earlier, write_tables
from fer_tf.evaluation.table_rows import tables
from fer_tf.expressions import EXPRESSIONS
from fer_tf.files import write_record
from fer_tf.paper import TABLE_1
from fer_tf.provenance import Provenance
from fer_tf.records.evaluation import (
    Calibration,
    Comparison,
    Evaluation,
    MethodScores,
    NetworkScores,
    Reliability,
    ReliabilityPair,
    Scores,
    TrainingSummary,
)
from fer_tf.records.reproduction import (
    Reproduction,
    SourceCounts,
    Table2Row,
    read_reproduction,
)
from tests.records import put_run

PROVENANCE = Provenance(
    command="python cli.py reproduce", commit="abc", machine="a", packages={}, date="b"
)


def shares(accuracy):
    values = {"images": 100, "majority_baseline": 0.25, "chance": 1 / 7}
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        values |= {metric: accuracy, f"{metric}_95": (accuracy - 0.02, accuracy + 0.02)}
    return values


TRAINED = TrainingSummary(
    **{"weights": 250_000, "training_images": 25_840, "epochs_done": 8, "best_epoch": 7},
    **{"best_validation_loss": 0.6612, "seconds": 120.4, "images_per_second": 915.6},
    commit="abc",
)


def numbers(database, accuracy, **changes):
    def network(name, value):
        return NetworkScores(name=name, **shares(value))

    def method(name, value):
        return MethodScores(
            name=name,
            **shares(value),
            path_right=0.7,
            right_given_path=0.6,
            networks=2,
            fitted_on="",
            sources={"fer2013": Scores(**shares(accuracy))},
        )

    curve = Reliability(ece=0.1, bins=[])
    comparison = Comparison(
        one="path selection",
        other="flat",
        difference=-0.01,
        difference_95=(-0.02, 0.0),
        only_one_right=3,
        only_other_right=4,
        mcnemar_p=1.0,
    )
    calibration = Calibration(
        temperature=1.2,
        cross_entropy_before=1.0,
        ece_before=0.1,
        cross_entropy_after=0.9,
        ece_after=0.05,
    )
    evaluation = Evaluation(
        provenance=PROVENANCE,
        database=database,
        split="test",
        recipe="quick",
        labels=list(EXPRESSIONS),
        images=100,
        groups=90,
        sha256={},
        results=[
            network("BeginNet", 0.67),
            network("SubnetX", 0.66),
            network("combined", accuracy),
        ],
        methods=[method("path selection", accuracy), method("flat", accuracy + 0.01)],
        comparisons=[comparison],
        calibration={"begin": calibration},
        reliability={"path selection": ReliabilityPair(before=curve, after=curve)},
        seeds={"flat": {"0": accuracy}},
        training={"begin": TRAINED},
    )
    return replace(evaluation, **changes)


@pytest.fixture
def collected():
    counts = SourceCounts(counts=[1] * 7, paper=list(TABLE_1["fer2013"]))
    return Reproduction(
        provenance=PROVENANCE,
        recipe="quick",
        evaluations=[
            numbers("concat_db/fer2013", 0.5),
            numbers("concat_db/fer2013-leakfree", 0.45),
            numbers("eye_cdb/fer2013-leakfree", 0.6),
        ],
        table_1={"fer2013": {"fer2013": counts}},
        table_2=[
            Table2Row(
                network="resnet18",
                recipe="paper-resnet18",
                config="fer2013",
                task="begin",
                split="validation",
                **shares(0.61),
            )
        ],
    )


def test_tables_contain_measured_numbers_and_the_papers(collected):
    rows = tables(collected)
    assert len(rows["table_1"]) == len(EXPRESSIONS)
    assert rows["table_1"][0]["built"] == 1 and rows["table_1"][0]["paper"] == 8989
    assert rows["table_2"][0]["paper"] == 0.63 and rows["table_2"][0]["accuracy"] == 0.61
    begin = [row for row in rows["table_3"] if row["name"] == "BeginNet"]
    assert [row["config"] for row in begin] == ["fer2013", "fer2013-leakfree", "fer2013-leakfree"]
    assert [row["paper"] for row in begin] == [0.767, 0.767, 0.784]
    assert begin[0]["accuracy_low"] == pytest.approx(0.65)
    assert rows["table_4"][1]["model"] == "flat" and rows["table_4"][1]["recipe"] == "quick"
    trained = rows["training"][2]
    assert (trained["database"], trained["network"]) == ("eye_cdb", "begin")
    assert trained.items() > vars(TRAINED).items()
    line = "| BeginNet | 250,000 | 25,840 | 8 | 7 | 0.661 | 2.0 | 915.6 | abc |"
    assert line in other_tables(collected)
    source = rows["sources"][0]
    assert (source["source"], source["method"], source["accuracy"]) == (
        *("fer2013", "path selection", 0.5),
    )


def without(evaluations, **changes):
    return [replace(evaluation, **changes) for evaluation in evaluations]


def test_evaluations_without_training_records_have_no_training_table(collected):
    collected = replace(collected, evaluations=without(collected.evaluations, training={}))
    assert tables(collected)["training"] == []
    assert "Their training" not in other_tables(collected)


def test_evaluations_of_other_machines_keep_their_provenance(collected, tmp_path):
    other = replace(PROVENANCE, commit="later")
    write_tables(tmp_path, collected)
    new = Reproduction(
        provenance=other,
        recipe="quick",
        evaluations=[
            numbers("uncovered/fer2013", 0.7, provenance=other),
            numbers("concat_db/fer2013", 0.55, provenance=other),
        ],
        table_1={"kdef": {}},
    )
    notes = []
    merged = with_earlier(new, read_reproduction(tmp_path, "quick"), notes.append)
    accuracies = {n.database: n.methods[0].accuracy for n in merged.evaluations}
    assert list(accuracies.items()) == [
        ("concat_db/fer2013", 0.55),
        ("concat_db/fer2013-leakfree", 0.45),
        ("eye_cdb/fer2013-leakfree", 0.6),
        ("uncovered/fer2013", 0.7),
    ]
    assert list(merged.table_1) == ["fer2013", "kdef"] and merged.table_2 == []
    assert len(notes) == 2 and "concat_db/fer2013-leakfree: its runs are not here" in notes[0]
    text = central_tables(merged)
    assert (
        "Made by `python cli.py reproduce`, concat_db/fer2013, uncovered/fer2013: commit later; "
        in text
    )
    assert "concat_db/fer2013-leakfree, eye_cdb/fer2013-leakfree: commit abc; a; b." in text
    # An earlier file written before each evaluation had its own.
    without_provenance = without(collected.evaluations, provenance=None)
    write_record(tmp_path / "reproduction.json", replace(collected, evaluations=without_provenance))
    assert with_earlier(new, read_reproduction(tmp_path, "quick"), notes.append) == merged


def test_two_simultaneous_calls_keep_each_others_databases(collected, tmp_path):
    calls = [replace(collected, evaluations=[each]) for each in collected.evaluations]
    with ThreadPoolExecutor(len(calls)) as threads:
        list(threads.map(lambda call: add_tables(tmp_path, call, lambda _: None), calls))
    kept = read_reproduction(tmp_path, "quick").evaluations
    assert {n.database for n in kept} == {n.database for n in collected.evaluations}


def test_rows_of_table_2_are_replaced_with_their_config(collected, tmp_path):
    write_tables(tmp_path, collected)
    here = replace(collected, table_2=[])
    merged = with_earlier(here, read_reproduction(tmp_path, "quick"), print)
    assert merged.table_2 == []  # concat_db/fer2013 is measured anew, and they are not there.


def test_tables_of_another_recipe_or_broken_ones_are_not_overwritten(collected, tmp_path):
    write_record(tmp_path / "reproduction.json", collected)
    with pytest.raises(UserError, match="tables of recipe quick, not paper; .*results-dir"):
        read_reproduction(tmp_path, "paper")
    assert read_reproduction(tmp_path / "none", "paper") is None
    assert with_earlier(collected, None, print) is collected
    (tmp_path / "reproduction.json").write_text("{")
    with pytest.raises(UserError, match="reproduction.json is no JSON"):
        read_reproduction(tmp_path, "quick")
    (tmp_path / "reproduction.json").write_text("{}")
    with pytest.raises(UserError, match="lacks provenance, recipe, .*another version"):
        read_reproduction(tmp_path, "quick")


def test_each_config_is_a_column_and_missing_runs_are_marked(collected):
    lines = central_tables(collected).splitlines()
    assert (
        "| model | ConcatDB `fer2013` | ConcatDB `fer2013-leakfree` | BConcatDB | "
        "eyeCDB `fer2013-leakfree` | no occlusion |"
    ) in lines
    assert (
        "| ours: path selection | 50.0 (48.0 to 52.0) | 45.0 (43.0 to 47.0) | not run | "
        "60.0 (58.0 to 62.0) | not run |"
    ) in lines
    assert "| *SCAN-CCI, quoted* | *55.6* | *55.6* | *55.8* | *74.2* |  |" in lines
    assert (
        "| BeginNet | 67.0 (65.0 to 69.0); 25.0; *76.7* | 67.0 (65.0 to 69.0); 25.0; *76.7* | "
        "not run; *77.3* | 67.0 (65.0 to 69.0); 25.0; *78.4* |"
    ) in lines
    text = "\n".join(lines)
    assert text.count("path selection minus flat: -1.0 points") == 3
    assert "Recipe `quick`, 1 seed at most" in text and "largest class 25.0 %" in text
    lines = other_tables(collected).splitlines()
    cell = "61.0 (59.0 to 63.0)"
    assert f"| resnet18 | paper-resnet18 | fer2013 | {cell} | 63 | not run | 19 |" in lines
    assert "| wide_resnet101_2 |  |  | not run | 64 | not run |  |" in lines


def test_files_name_their_command_and_commit(collected, tmp_path):
    written = write_tables(tmp_path / "results", collected)
    assert json.loads(written[0].read_text())["provenance"] == vars(PROVENANCE)
    rows = list(csv.DictReader(open(tmp_path / "results" / "methods.csv")))
    assert [row["config"] for row in rows[::2]] == ["fer2013", *["fer2013-leakfree"] * 2]
    text = (tmp_path / "results" / "tables.md").read_text()
    assert "Made by `python cli.py reproduce`, concat_db/fer2013, " in text
    assert "eye_cdb/fer2013-leakfree: commit abc; a; b." in text


def test_a_table_that_has_become_empty_is_removed(collected, tmp_path):
    write_tables(tmp_path, collected)
    assert (tmp_path / "table_2.csv").is_file()
    assert write_tables(tmp_path, replace(collected, table_2=[]))
    assert not (tmp_path / "table_2.csv").exists()


def test_the_marked_part_of_a_readme_is_replaced(collected, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# x\n\nno marks\n")
    with pytest.raises(UserError, match="README.md lacks the lines"):
        update_readme(readme, collected)
    readme.write_text(f"# x\n{BEGIN}\nold\n{END}\n# y\n")
    for _ in range(2):
        update_readme(readme, collected)
    text = readme.read_text()
    assert text.startswith("# x\n") and text.endswith("# y\n") and "old" not in text
    assert text.count("ours: path selection") == 1


def test_databases_are_found_by_their_finished_runs(tmp_path):
    runs, data, notes = tmp_path / "runs", tmp_path / "data", []
    with pytest.raises(UserError, match="holds no trained network of recipe quick"):
        find_evaluable("quick", runs, data, notes.append)
    for database in ("concat_db", "bconcat_db"):
        folder = data / database / "drawn" / "1.0.0"
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
    for run in (
        *("concat_db/drawn/quick", "concat_db/drawn/quick-seed1", "uncovered/drawn/quick"),
        *("concat_db/gone/quick", "bconcat_db/drawn/quick"),
    ):
        put_run(runs / run / "flat", finished="bconcat" not in run)
    databases = find_evaluable("quick", runs, data, notes.append)
    assert [str(database) for database in databases] == ["concat_db/drawn", "uncovered/drawn"]
    assert len(notes) == 2 and "concat_db/gone/quick is left out" in notes[0]
    assert "bconcat_db/drawn/quick holds no network that is trained to its end" in notes[1]
