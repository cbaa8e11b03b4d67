import csv
import io
import json
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
from rich.console import Console

from fer_tf.data.face_set import FaceSet
from fer_tf.data.inspection import Conflicts, LabelledId, Leaks, inspect_faces
from fer_tf.data.inspection_report import INSPECTION_DIR, read_inspection, tables, write_inspection
from fer_tf.data.splits import assign_splits
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.occlusion.eyes import USUAL_EYES
from fer_tf.paper import TABLE_1

GRAYS = {"fer2013": 70, "jaffe": 120, "kdef": 170, "raf_db": 220}
"""Source -> about how bright each of its faces is here."""


@pytest.fixture(scope="module")
def faces():
    """30 faces of each expression from fer2013, two from each other source: gray squares."""
    table = [
        (source, label)
        for source in GRAYS
        for label in range(len(EXPRESSIONS))
        for _ in range(30 if source == "fer2013" else 2)
    ]
    rng = np.random.default_rng(0)
    noise = rng.integers(-20, 20, (len(table), 48, 48))
    images = noise + np.array([GRAYS[source] for source, _ in table])[:, None, None]
    return FaceSet(
        ids=[f"{source}/{i:04}" for i, (source, _) in enumerate(table)],
        images=images.astype(np.uint8),
        labels=np.array([label for _, label in table]),
        sources=[source for source, _ in table],
        subjects=["" if source == "fer2013" else f"{source}/one" for source, _ in table],
        eye_boxes=np.tile(np.array(USUAL_EYES), (len(table), 1, 1)),
        eyes_found=np.full(len(table), 1),
    )


@pytest.fixture(scope="module")
def splits(faces):
    return assign_splits(faces.labels, faces.ids)


@pytest.fixture(scope="module")
def report(faces, splits):
    return inspect_faces(faces, splits, np.array([[0, 7], [1, 100]]), {})


@pytest.fixture(scope="module")
def database(tmp_path_factory, faces, splits, report):
    folder = tmp_path_factory.mktemp("database")
    write_inspection(folder / INSPECTION_DIR, report, faces, splits, "upper")
    return folder


def picture(database, name):
    return cv2.imread(str(database / INSPECTION_DIR / name), cv2.IMREAD_GRAYSCALE)


def printed(report):
    console = Console(width=80, record=True, file=io.StringIO())
    for renderable in tables(report):
        console.print(renderable)
    return console.export_text()


def test_what_is_written_is_read_back(database, report):
    assert read_inspection(database) == report


def test_the_old_name_of_near_duplicates_is_read(tmp_path, report):
    values = asdict(report)
    values["look_alikes"] = values.pop("near_duplicates")
    (tmp_path / INSPECTION_DIR).mkdir()
    (tmp_path / INSPECTION_DIR / "inspection.json").write_text(json.dumps(values))
    assert read_inspection(tmp_path) == report


def test_table_1_is_a_csv_file(database):
    with (database / INSPECTION_DIR / "table_1.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["source", "expression", "built", "paper", "difference"]
    assert len(rows) == 1 + len(TABLE_1) * len(EXPRESSIONS)
    assert ["kdef", "Fear", "2", "140", "-138"] in rows


def test_every_source_is_in_figure_1_and_all_its_occlusions(database):
    figure = picture(database, "figure_1.png")
    uncovered, upper, lower, eyes = np.array_split(figure[40:], 4)
    for gray in GRAYS.values():
        assert (abs(uncovered.astype(int) - gray) < 15).mean() > 0.08
    black = [(row < 5).mean() for row in (uncovered, upper, lower, eyes)]
    assert black[0] < 0.05 and min(black[1:3]) > 0.3 and 0.05 < black[3] < 0.3


def test_figure_2_shows_the_faces_as_the_database_holds_them(
    database, tmp_path, faces, splits, report
):
    write_inspection(tmp_path / INSPECTION_DIR, report, faces, splits, "eyes")
    upper, eyes = (picture(folder, "figure_2.png") for folder in (database, tmp_path))
    assert (upper < 5).mean() > 2 * (eyes < 5).mean() > 0.05


def test_the_files_are_small_and_the_same_in_every_run(database, tmp_path, faces, splits, report):
    write_inspection(tmp_path, report, faces, splits, "upper")
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 2**20
        assert path.read_bytes() == (database / INSPECTION_DIR / path.name).read_bytes()
    assert len(list(tmp_path.iterdir())) == 4


def test_a_database_that_lacks_an_expression_is_drawn_too(tmp_path, faces, splits):
    few = np.flatnonzero((faces.labels != 5) & (splits == 0))[:9]
    faces, splits = faces.select(few), splits[few]
    report = inspect_faces(faces, splits, np.zeros((0, 2), np.int64), {})
    write_inspection(tmp_path, report, faces, splits, "lower")
    assert (tmp_path / "figure_1.png").exists() and (tmp_path / "figure_2.png").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing: an earlier version"),
        ("{", "cannot be read"),
        ("[]", "format None"),
        ('{"format": 99}', "format 99, 1 expected"),
        ('{"format": 1, "images": 5}', "cannot be read .*missing required field"),
    ],
)
def test_a_report_that_cannot_be_shown_is_named(tmp_path, content, message):
    path = tmp_path / INSPECTION_DIR / "inspection.json"
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_inspection(tmp_path)
    assert str(path) in str(caught.value) and "build-datasets" in str(caught.value)


def test_eighty_columns_hold_the_papers_numbers(report):
    sources = {
        name: replace(
            source,
            counts=[count * 9 for count in TABLE_1[name]],
            eyes_found={2: 238_000, 1: 93_000, 0: 33_000},
            images=364_000,
            persons=10_000,
            images_of_persons=364_000,
        )
        for name, source in report.sources.items()
    }
    text = printed(replace(report, sources=sources))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text and "238,000" in text and "80,901" in text
    heads = [line.split() for line in text.splitlines()]
    assert ["split", *EXPRESSIONS, "total"] in heads


def test_findings_tell_what_to_do_and_are_silent_where_there_is_nothing(report):
    text = " ".join(printed(report).split())
    assert "--leak-free" in text and "persons; " in text and "--clean" not in text
    assert "Left out" not in text

    labels = ["Fear", "Fear", "Anger"]
    faces = [LabelledId(f"kdef/{number}", label) for number, label in enumerate(labels)]
    odd = replace(
        report,
        blank=["fer2013/7"],
        conflicts=Conflicts(images=3, groups=[faces]),
        dropped={"blank": ["fer2013/7"] * 12},
        near_duplicates=replace(report.near_duplicates, groups_on_two_sides=0),
        persons=Leaks(0, {}),
    )
    text = " ".join(printed(odd).split())
    assert "--leak-free" not in text and "no known person" in text
    assert "kdef/0 Fear = kdef/2 Anger" in text and "e.g. fer2013/7; kept" in text
    assert "blank 12" in text
