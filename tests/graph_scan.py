"""Finds in a SavedModel's graph what a server refuses or what makes it depend on one machine."""

import re
from pathlib import Path

from tensorflow.python.framework import op_def_registry
from tensorflow.python.saved_model import loader_impl

_OPERATIONS = {
    "Python code": r"(Eager)?PyFunc(Stateless)?",
    "a file operation": r"ReadFile|WriteFile|MatchingFiles|.*Reader(V2)?|.*Summary.*|"
    r".*(TextLine|TFRecord|FixedLengthRecord|Cache|Snapshot|Save|Load).*Dataset.*",
    "a lookup table": r".*HashTable.*|LookupTable.*|InitializeTable.*",
}


def findings(model: Path) -> set[str]:
    """What should not be in a version: sentences, none for a sound one."""
    (meta_graph,) = loader_impl.parse_saved_model(str(model)).meta_graphs
    graph = meta_graph.graph_def
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    names = {function.signature.name for function in functions}
    found = set()
    for item in [*nodes, *functions]:
        if item.attr["_XlaMustCompile"].b or item.attr["_XlaCompile"].b:
            found.add("a function compiled by XLA")
    for node in nodes:
        if node.device not in ("", "/device:CPU:0", "/device:CPU:*"):  # These restore weights.
            found.add(f"an operation bound to {node.device}")
        if op_def_registry.get(node.op) is None and node.op not in names:
            found.add(f"the operation {node.op}, which TensorFlow does not have")
        found |= {kind for kind, pattern in _OPERATIONS.items() if re.fullmatch(pattern, node.op)}
    return found
