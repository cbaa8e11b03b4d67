"""The seven expressions, the three paths and the five classification tasks made of them.

The only place that knows an order. Labels 0 to 6 are those of the paper's section 3.1, paths
A, B, C those of section 3.2. To question the paper's partition, change `PATHS`: every task,
network head, SavedModel and figure follows from it.
"""

from dataclasses import dataclass

EXPRESSIONS = ("Happiness", "Normal", "Sadness", "Anger", "Fear", "Disgust", "Surprise")
"""Names in label order: label i is EXPRESSIONS[i]."""

PATHS = {
    "A": ("Happiness", "Normal", "Sadness"),
    "B": ("Anger", "Fear"),
    "C": ("Disgust", "Surprise"),
}
"""Path name -> the expressions on it, both in label order."""


@dataclass(frozen=True)
class Task:
    """What one network has to tell apart.

    Attributes:
        network: the network's name on the command line and on disk, e.g. "subnet_x".
        title: its name in the paper, e.g. "SubnetX".
        dataset: the paper's name of its training data, e.g. "SepA".
        classes: class names, in the order of the network's logits.
        expressions: for each class the tuple of labels (0 to 6) that belong to it.
    """

    network: str
    title: str
    dataset: str
    classes: tuple[str, ...]
    expressions: tuple[tuple[int, ...], ...]

    @property
    def class_of(self) -> tuple[int, ...]:
        """For each of the seven labels its class in this task, -1 where it has none."""
        table = [-1] * len(EXPRESSIONS)
        for index, labels in enumerate(self.expressions):
            for label in labels:
                table[label] = index
        return tuple(table)


def labels_of(path: str) -> tuple[int, ...]:
    """Labels (0 to 6) of the expressions on a path."""
    return tuple(EXPRESSIONS.index(name) for name in PATHS[path])


def _subnet(network: str, title: str, path: str) -> Task:
    labels = labels_of(path)
    return Task(network, title, f"Sep{path}", PATHS[path], tuple((label,) for label in labels))


SUBNETS = ("subnet_x", "subnet_y", "subnet_z")
"""The network behind each path, in the order of `PATHS`."""

TASKS = {
    "begin": Task("begin", "BeginNet", "Begin", tuple(PATHS), tuple(map(labels_of, PATHS))),
    **{
        network: _subnet(network, f"Subnet{network[-1].upper()}", path)
        for network, path in zip(SUBNETS, PATHS, strict=True)
    },
    "flat": Task("flat", "flat", "All", EXPRESSIONS, tuple((i,) for i in range(len(EXPRESSIONS)))),
}
"""Network name -> its task. The first four make the multi-network, `flat` is the baseline."""

MULTI_NETWORK = ("begin", *SUBNETS)
"""The four networks that are combined into one SavedModel."""

_labels = sorted(label for path in PATHS for label in labels_of(path))
if _labels != list(range(len(EXPRESSIONS))):
    raise ValueError(f"PATHS must hold each of {EXPRESSIONS} exactly once, got {PATHS}")
