"""Holds every import within `fer_tf` to the order of its folders: docs/architecture.md."""

import ast
from pathlib import Path

import fer_tf

ORDER = (
    *(
        "errors",
        "expressions",
        "provenance",
        "files",
        "terminal",
        "markdown",
        "paper",
        "records",
        "percent",
        "outlines",
    ),
    *("faces", "occlusion", "plots", "models", "data", "training", "evaluation", "export"),
    *("serving", "inference", "app", "cli"),
)
"""Folders and top-level modules: each imports only from itself and from those before it."""

PACKAGE = Path(fer_tf.__file__).parent


def test_every_folder_imports_only_from_those_above_it():
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fer_tf."):
                other = node.module.split(".")[1]
                assert own == "__init__" or ORDER.index(other) <= ORDER.index(own), (path, other)
                assert {own, other} != {"evaluation", "export"}, (path, other)
