"""The inspection of a database as files beside it, and on the terminal."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from fer_tf.data.face_cache import FaceSet
from fer_tf.data.inspection import FORMAT
from fer_tf.data.splits import SPLITS
from fer_tf.errors import UserError
from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces.face import Face
from fer_tf.occlusion.occlude import occlude
from fer_tf.plots.faces import plot_occlusions, plot_splits

INSPECTION_DIR = "inspection"
"""Name of the folder, within that of a database's version, which holds its inspection."""

_REPORT = "inspection.json"
_FACES_IN_LINE = 4  # of figure 2; the paper has four sources


def write_inspection(
    folder: Path, report: dict, faces: FaceSet, splits: np.ndarray, occlusion: str
) -> None:
    """Write inspection.json, table_1.csv, figure_1.png and figure_2.png.

    Figure 1 shows a face of each expression uncovered and with the three occlusions, figure 2 the
    splits as the database holds them. Sources take turns; the faces are drawn by lot, the same in
    every run. Pictures of real faces must not be passed on.

    Args:
        folder: where to, made if missing: `INSPECTION_DIR` in the folder of the version.
        report: what `fer_tf.data.inspection.inspect_faces` returned.
        faces: all faces of the database.
        splits: int64 [N], indices into `SPLITS`.
        occlusion: the database's kind, one of `fer_tf.occlusion.kinds.OCCLUSIONS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _REPORT).write_text(json.dumps(report, indent=1))
    with (folder / "table_1.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["source", "expression", "built", "paper", "difference"])
        for name, source in report["sources"].items():
            unknown = [""] * len(EXPRESSIONS)
            paper, difference = source["paper"] or unknown, source["difference"] or unknown
            columns = zip(EXPRESSIONS, source["counts"], paper, difference, strict=True)
            table.writerows((name, *row) for row in columns)

    labels = range(len(EXPRESSIONS))
    names, source = np.unique(np.array(faces.sources, dtype=object), return_inverse=True)
    shown = []
    for label in labels:  # Each begins with another source.
        turns = (source - label) % len(names)
        shown += _in_turn(np.flatnonzero(faces.labels == label), turns, 1)
    plot_occlusions(
        [
            Face(faces.ids[i], np.asarray(faces.images[i]), faces.labels[i], faces.sources[i])
            for i in shown
        ],
        folder / "figure_1.png",
        faces.eye_boxes[shown],
    )
    samples = {}
    for code, split in enumerate(SPLITS):
        cells = [np.flatnonzero((splits == code) & (faces.labels == label)) for label in labels]
        samples[split] = [
            [
                occlude(np.asarray(faces.images[i]), occlusion, faces.eye_boxes[i])
                for i in _in_turn(cell, source, _FACES_IN_LINE)
            ]
            for cell in cells
        ]
    counts = {split: report["splits"][split]["counts"] for split in SPLITS}
    plot_splits(samples, counts, folder / "figure_2.png")


def read_inspection(folder: Path) -> dict:
    """Read the report that stands beside a database.

    Args:
        folder: of the database's version, e.g. `data/tfds/concat_db/fer2013/1.0.0`.

    Raises:
        UserError: there is none, or none that this program can show.
    """
    path = folder / INSPECTION_DIR / _REPORT
    again = f"remove {folder} and run `python cli.py build-datasets` again"
    try:
        report = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: an earlier version of this program built the database; {again}."
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {again}.") from error
    version = report.get("format") if isinstance(report, dict) else None
    if version == FORMAT and "look_alikes" in report:  # The key's name before it was renamed.
        report["near_duplicates"] = report.pop("look_alikes")
    if version != FORMAT:
        raise UserError(
            f"{path} has format {version!r}, {FORMAT} expected: another version of this program "
            f"built the database; {again}."
        )
    return report


def tables(report: dict) -> list[Text | Table]:
    """What `inspect_faces` returned, for a terminal of 80 columns: findings first, then tables."""
    built = _table("Table 1", *EXPRESSIONS, "total")
    eyes = ("two eyes", "one", "none")
    made_of = _table("source", "images", "share", "persons", "with person", *eyes)
    for name, source in report["sources"].items():
        built.add_row(name, *_with_total(source["counts"]))
        if any(source["difference"] or []):
            built.add_row("  paper", *_with_total(source["paper"]))
            built.add_row("  difference", *_with_total(source["difference"], "+,"))
        made_of.add_row(
            name,
            f"{source['images']:,}",
            f"{source['share']:.1%}",
            f"{source['persons']:,}",
            f"{source['images_of_persons']:,}",
            *(f"{source['eyes_found'][count]:,}" for count in "210"),
        )
    if len(report["sources"]) > 1:
        counts = [source["counts"] for source in report["sources"].values()]
        built.add_row("all", *_with_total([sum(column) for column in zip(*counts, strict=True)]))
    shared = _table("split", *EXPRESSIONS, "total")
    for name, split in report["splits"].items():
        shared.add_row(name, *_with_total(split["counts"]))
    findings = [Text.assemble((f"{what}: ", "bold"), rest) for what, rest in _findings(report)]
    return [*findings, built, shared, made_of]


def _in_turn(candidates: np.ndarray, source: np.ndarray, count: int) -> list[int]:
    """Some of the candidates drawn by lot, one of each source before a second of any."""
    drawn = np.random.default_rng(0).permutation(candidates)
    turn = np.zeros(len(drawn), np.int64)
    for code in np.unique(source[drawn]):
        own = source[drawn] == code
        turn[own] = np.arange(own.sum())
    return drawn[np.lexsort([source[drawn], turn])][:count].tolist()


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left")
    return table


def _with_total(counts: Sequence[int], style: str = ",") -> list[str]:
    return [format(count, style) for count in (*counts, sum(counts))]


def _findings(report: dict) -> list[tuple[str, str]]:
    """What surprises, as pairs of what it is and how much, with what follows from it."""
    copies, alike, conflicts = (report[key] for key in ("copies", "near_duplicates", "conflicts"))
    kept = "kept, as the paper keeps them; --clean drops them."
    found = []
    if report["dropped"]:
        reasons = ", ".join(f"{reason} {len(ids):,}" for reason, ids in report["dropped"].items())
        found.append(("Left out before all that follows", f"{reasons}."))
    for name, source in report["sources"].items():
        if source["paper"]:
            differs = (
                f"{source['images']:,} images, {sum(source['paper']):,} in the paper's Table 1."
            )
            equals = "as in the paper's Table 1."
            found.append((name, differs if any(source["difference"]) else equals))
    if alike["images"]:
        found.append(
            (
                "Images that repeat another",
                f"{alike['images']:,}; {copies['images']:,} are exact copies, the rest near "
                "duplicates (cropped, scaled or stamped anew).",
            )
        )
    found += _leaks(report)
    if conflicts["groups"]:
        one, *others = conflicts["groups"][-1]  # of two or few, which are no blank images
        other = next(face for face in others if face["label"] != one["label"])
        found.append(
            (
                "Images with a copy under another label",
                f"{conflicts['images']:,} of {len(conflicts['groups']):,} pictures, e.g. "
                f"{one['id']} {one['label']} = {other['id']} {other['label']}; {kept}",
            )
        )
    if report["blank"]:
        blank = report["blank"]
        found.append(("Blank images", f"{len(blank):,}, e.g. {blank[0]}; {kept}"))
    return found


def _leaks(report: dict) -> list[tuple[str, str]]:
    test = report["splits"]["test"]["images"]
    found = []
    for key, what, seen in (
        ("near_duplicates", "sets of copies and near duplicates", "have one in training"),
        ("persons", "persons", "show somebody who is in training"),
    ):
        if groups := report[key]["groups_on_two_sides"]:
            count = report[key]["seen_in_training"]["test"]
            found.append(
                (
                    "On two sides of the split",
                    f"{groups:,} {what}; {count:,} of {test:,} test images "
                    f"({count / max(1, test):.1%}) {seen}. Build with --leak-free to test on "
                    "unseen faces.",
                )
            )
    nothing = "no copies, no near duplicates, no known person."
    return found or [("On two sides of the split", nothing)]
