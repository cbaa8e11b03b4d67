"""The inspection of a database: files beside it, and tables on the terminal."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from fer_tf.data.face_set import FaceSet
from fer_tf.data.inspection import FORMAT, Inspection
from fer_tf.data.splits import SPLITS
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.occlusion.occlude import occlude
from fer_tf.plots.faces import plot_occlusions, plot_splits

INSPECTION_DIR = "inspection"
"""Name of the folder of the inspection, in the folder of a database's version."""

_REPORT = "inspection.json"
_FACES_IN_LINE = 4  # of figure 2; the paper has four sources


def write_inspection(
    folder: Path, inspection: Inspection, faces: FaceSet, splits: np.ndarray, occlusion: str
) -> None:
    """Write inspection.json, table_1.csv, figure_1.png and figure_2.png.

    Figure 1 shows a face of each expression uncovered and with the three occlusions, figure 2 the
    splits as the database contains them. Sources take turns; the faces are drawn at random, the
    same in every run. Pictures of real faces must not be passed on.

    Args:
        folder: created if it is missing: `INSPECTION_DIR` in the folder of the version.
        inspection: what `fer_tf.data.inspection.inspect_faces` returned.
        faces: all faces of the database.
        splits: int64 [N], indices into `SPLITS`.
        occlusion: the database's kind, one of `fer_tf.occlusion.kinds.OCCLUSIONS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _REPORT).write_text(json.dumps(asdict(inspection), indent=1))
    _write_table_1(folder / "table_1.csv", inspection)
    _, source = np.unique(np.array(faces.sources, dtype=object), return_inverse=True)
    _draw_figure_1(folder / "figure_1.png", faces, source)
    samples = {}
    for code, split in enumerate(SPLITS):
        samples[split] = []
        for label in range(len(EXPRESSIONS)):
            candidates = np.flatnonzero((splits == code) & (faces.labels == label))
            samples[split].append(
                [
                    occlude(np.asarray(faces.images[i]), occlusion, faces.eye_boxes[i])
                    for i in _in_turn(candidates, source, _FACES_IN_LINE)
                ]
            )
    counts = {split: inspection.splits[split].counts for split in SPLITS}
    plot_splits(samples, counts, folder / "figure_2.png")


def _write_table_1(path: Path, inspection: Inspection) -> None:
    unknown = [""] * len(EXPRESSIONS)
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["source", "expression", "built", "paper", "difference"])
        for name, source in inspection.sources.items():
            paper, difference = source.paper or unknown, source.difference or unknown
            columns = zip(EXPRESSIONS, source.counts, paper, difference, strict=True)
            table.writerows((name, *row) for row in columns)


def _draw_figure_1(path: Path, faces: FaceSet, source: np.ndarray) -> None:
    """Draw a face of each expression; `source` is the number of each face's source, int [N]."""
    shown = []
    for label in range(len(EXPRESSIONS)):
        # The turns of each expression begin with another source.
        turns = (source - label) % (source.max() + 1)
        shown += _in_turn(np.flatnonzero(faces.labels == label), turns, 1)
    plot_occlusions(
        [
            Face(faces.ids[i], np.asarray(faces.images[i]), faces.labels[i], faces.sources[i])
            for i in shown
        ],
        path,
        faces.eye_boxes[shown],
    )


def read_inspection(folder: Path) -> Inspection:
    """Read the inspection beside a database.

    Args:
        folder: of the database's version, e.g. `data/tfds/concat_db/fer2013/1.0.0`.

    Raises:
        UserError: it is missing, damaged, or from another version of this program.
    """
    path = folder / INSPECTION_DIR / _REPORT
    again = f"remove {folder} and run `python cli.py build-datasets` again"
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: an earlier version of this program built the database; {again}."
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {again}.") from error
    version = values.get("format") if isinstance(values, dict) else None
    if version != FORMAT:
        raise UserError(
            f"{path} has format {version!r}, {FORMAT} expected: another version of this program "
            f"built the database; {again}."
        )
    if "look_alikes" in values:  # An older name of the key.
        values["near_duplicates"] = values.pop("look_alikes")
    try:
        return msgspec.convert(values, Inspection, str_keys=True)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} cannot be read ({error}); {again}.") from error


def tables(inspection: Inspection) -> list[Text | Table]:
    """An inspection for a terminal of 80 columns: findings first, then tables."""
    table_1 = _table("Table 1", *EXPRESSIONS, "total")
    eyes = ("two eyes", "one", "none")
    composition = _table("source", "images", "share", "persons", "with person", *eyes)
    for name, source in inspection.sources.items():
        table_1.add_row(name, *_with_total(source.counts))
        if any(source.difference or []):
            table_1.add_row("  paper", *_with_total(source.paper))
            table_1.add_row("  difference", *_with_total(source.difference, "+,"))
        composition.add_row(
            name,
            f"{source.images:,}",
            f"{source.share:.1%}",
            f"{source.persons:,}",
            f"{source.images_of_persons:,}",
            *(f"{source.eyes_found[count]:,}" for count in (2, 1, 0)),
        )
    if len(inspection.sources) > 1:
        counts = [source.counts for source in inspection.sources.values()]
        table_1.add_row("all", *_with_total([sum(column) for column in zip(*counts, strict=True)]))
    splits = _table("split", *EXPRESSIONS, "total")
    for name, split in inspection.splits.items():
        splits.add_row(name, *_with_total(split.counts))
    findings = [
        Text.assemble((f"{title}: ", "bold"), sentence) for title, sentence in _findings(inspection)
    ]
    return [*findings, table_1, splits, composition]


def _in_turn(candidates: np.ndarray, source: np.ndarray, count: int) -> list[int]:
    """Some of the candidates drawn at random, one of each source before a second of any."""
    drawn = np.random.default_rng(0).permutation(candidates)
    turn = np.zeros(len(drawn), np.int64)
    for code in np.unique(source[drawn]):
        of_source = source[drawn] == code
        turn[of_source] = np.arange(of_source.sum())
    return drawn[np.lexsort([source[drawn], turn])][:count].tolist()


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left")
    return table


def _with_total(counts: Sequence[int], style: str = ",") -> list[str]:
    return [format(count, style) for count in (*counts, sum(counts))]


def _findings(inspection: Inspection) -> list[tuple[str, str]]:
    """What is unusual: pairs of a title and a sentence."""
    kept = "kept, as the paper keeps them; --clean drops them."
    findings = []
    if inspection.dropped:
        reasons = [f"{reason} {len(ids):,}" for reason, ids in inspection.dropped.items()]
        findings.append(("Left out before all that follows", f"{', '.join(reasons)}."))
    for name, source in inspection.sources.items():
        if source.paper and any(source.difference):
            quoted = f"{sum(source.paper):,} in the paper's Table 1."
            findings.append((name, f"{source.images:,} images, {quoted}"))
        elif source.paper:
            findings.append((name, "as in the paper's Table 1."))
    if repeated := inspection.near_duplicates.images:
        findings.append(
            (
                "Images that repeat another",
                f"{repeated:,}; {inspection.copies.images:,} are exact copies, the rest near "
                "duplicates (cropped, scaled or stamped anew).",
            )
        )
    findings += _leaks(inspection)
    conflicts = inspection.conflicts
    if conflicts.groups:
        # The last group has the fewest images; the largest ones are often blank images.
        one, *others = conflicts.groups[-1]
        other = next(face for face in others if face.label != one.label)
        findings.append(
            (
                "Images with a copy under another label",
                f"{conflicts.images:,} of {len(conflicts.groups):,} pictures, e.g. "
                f"{one.id} {one.label} = {other.id} {other.label}; {kept}",
            )
        )
    if blank := inspection.blank:
        findings.append(("Blank images", f"{len(blank):,}, e.g. {blank[0]}; {kept}"))
    return findings


def _leaks(inspection: Inspection) -> list[tuple[str, str]]:
    title = "On two sides of the split"
    test_images = inspection.splits["test"].images
    findings = []
    for leaks, groups, share in (
        (
            inspection.near_duplicates,
            "sets of copies and near duplicates",
            "have one in training",
        ),
        (inspection.persons, "persons", "show somebody who is in training"),
    ):
        if leaks.groups_on_two_sides:
            count = leaks.seen_in_training["test"]
            findings.append(
                (
                    title,
                    f"{leaks.groups_on_two_sides:,} {groups}; {count:,} of {test_images:,} test "
                    f"images ({count / max(1, test_images):.1%}) {share}. Build with --leak-free "
                    "to test on unseen faces.",
                )
            )
    return findings or [(title, "no copies, no near duplicates, no known person.")]
