"""Tables in Markdown."""

from collections.abc import Sequence


def markdown_table(head: Sequence, rows: Sequence[Sequence]) -> str:
    """A table in Markdown; each cell is converted by `str`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
