"""Writes all tables of the paper from trained networks."""

from collections.abc import Callable
from pathlib import Path

from fer_tf.errors import UserError
from fer_tf.evaluation.markdown import central_tables
from fer_tf.evaluation.reproduce import add_tables, collect, copy_figures, find_evaluable
from fer_tf.files import written_beside
from fer_tf.provenance import provenance
from fer_tf.records.reproduction import Reproduction, read_reproduction

BEGIN, END = "<!-- made by `python cli.py reproduce --readme` -->", "<!-- end -->"
"""The marks: lines of a Markdown file between which the tables are written."""


def write_paper_tables(
    recipe: str,
    results_dir: Path,
    readme: Path | None,
    data_dir: Path,
    runs_dir: Path,
    note: Callable[[str], None],
) -> list[Path]:
    """Evaluates all networks of a recipe and writes the paper's tables.

    Args:
        recipe: the name of the runs' folders.
        results_dir: where the tables are written; made if missing.
        readme: a Markdown file into whose marked part Tables 3 and 4 are written, or None.
        data_dir: the directory of the prepared databases.
        runs_dir: the directory of the runs.
        note: receives each sentence on what is evaluated, kept or left out.

    Returns:
        The files.

    Raises:
        UserError: before anything is evaluated, if nothing is trained, `readme` has no marked part
            or `results_dir` contains the tables of another recipe.
    """
    if readme:
        marked_parts(readme)
    databases = find_evaluable(recipe, runs_dir, data_dir, note)
    read_reproduction(results_dir, recipe)
    collected = collect(databases, recipe, runs_dir, provenance(), note)
    collected, written = add_tables(results_dir, collected, note)
    written += copy_figures(results_dir, databases, recipe, runs_dir)
    if readme:
        update_readme(readme, collected)
        written.append(readme)
    return written


def marked_parts(path: Path) -> tuple[str, str]:
    """Returns the text before and after the marked part of a Markdown file, marks included.

    Raises:
        UserError: if a mark is missing.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(f"{path} lacks the lines {BEGIN} and {END}; put them where tables go.")
    return before + begin, end + after


def update_readme(path: Path, collected: Reproduction) -> None:
    """Replaces the marked part of a Markdown file by the central tables."""
    before, after = marked_parts(path)
    with written_beside(path) as out:
        out.write(f"{before}\n\n{central_tables(collected)}\n\n{after}".encode())
