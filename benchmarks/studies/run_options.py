"""The options that benchmarks on trained networks share."""

import argparse
from pathlib import Path


def run_options(
    doc: str, database: str = "concat_db", recipe: str | None = "quick"
) -> argparse.ArgumentParser:
    """A parser with --database, --recipe, --data-dir, --runs-dir and --json.

    Imports nothing of fer_tf, whose partition a benchmark may have to set first.

    Args:
        doc: the benchmark's docstring, whose first line describes it.
        database: the usual one.
        recipe: the usual one; None where there is no choice.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--database", default=database)
    if recipe:
        parser.add_argument("--recipe", default=recipe)
    parser.add_argument("--data-dir", type=Path, default=Path("data/tfds"))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser
