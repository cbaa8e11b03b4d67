"""All tables of the paper, from trained networks to files."""

from collections.abc import Callable
from pathlib import Path

from fer_tf.evaluation.reproduce import (
    add_tables,
    collect,
    copy_figures,
    find_evaluable,
    marked_parts,
    update_readme,
)
from fer_tf.provenance import provenance
from fer_tf.records.reproduction import read_reproduction


def write_paper_tables(
    recipe: str,
    results_dir: Path,
    readme: Path | None,
    data_dir: Path,
    runs_dir: Path,
    note: Callable[[str], None],
) -> list[Path]:
    """Evaluates all that a recipe has trained and writes the paper's tables of it.

    Args:
        recipe: the name of the runs' folders.
        results_dir: where the tables are written; made if missing.
        readme: a Markdown file whose marked part is to hold Tables 3 and 4, or None.
        data_dir: where prepared databases live.
        runs_dir: where runs live.
        note: is given each sentence on what is evaluated, kept or left out.

    Returns:
        The files.

    Raises:
        UserError: before anything is evaluated, if nothing is trained, `readme` has no marked part
            or `results_dir` holds the tables of another recipe.
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
