"""The seven expressions, the three paths and the five classification tasks made of them.

The only place that knows an order. Labels 0 to 6 are those of the paper's section 3.1, paths
A, B, C those of section 3.2. To question the paper's partition, change `PATHS`: every task,
network head, SavedModel and figure follows from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

EXPRESSIONS = ("Happiness", "Normal", "Sadness", "Anger", "Fear", "Disgust", "Surprise")
"""Names in label order: label i is EXPRESSIONS[i]."""

_OTHER_NAMES = {
    "Happiness": "happy joy joyful",
    "Normal": "neutral",
    "Sadness": "sad",
    "Anger": "angry",
    "Fear": "afraid fearful scared",
    "Disgust": "disgusted",
    "Surprise": "surprised",
}
"""What databases, and folders of photographs, call the expressions besides."""

PAPER_PATHS = {
    "A": ("Happiness", "Normal", "Sadness"),
    "B": ("Anger", "Fear"),
    "C": ("Disgust", "Surprise"),
}
"""The partition of section 3.2."""

PATHS = PAPER_PATHS
"""Path name -> the expressions on it, in label order: the partition in use."""


@dataclass(frozen=True)
class Task:
    """What one network has to tell apart.

    Attributes:
        network: the network's name on the command line and on disk, e.g. "subnet_x".
        title: its name in the paper, e.g. "SubnetX".
        classes: class names, in the order of the network's logits.
        expressions: for each class the tuple of labels (0 to 6) that belong to it.
    """

    network: str
    title: str
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


def find_label(name: str) -> int | None:
    """Find the label (0 to 6) that a name such as "Happiness", "happy" or "3_ANGRY" means.

    Letters alone count, in any case.
    """
    letters = "".join(filter(str.isalpha, name)).lower()
    for label, expression in enumerate(EXPRESSIONS):
        if letters in (expression.lower(), *_OTHER_NAMES[expression].split()):
            return label
    return None


def labels_of(path: str) -> tuple[int, ...]:
    """Labels (0 to 6) of the expressions on a path."""
    return _labels(PATHS[path])


def tasks_of(paths: Mapping[str, tuple[str, ...]]) -> dict[str, Task]:
    """The five tasks that follow from a partition.

    Args:
        paths: like `PATHS`: three paths, which hold each expression once.

    Returns:
        Network name -> its task.

    Raises:
        ValueError: if an expression is missing or stands twice.
    """
    if sorted(sum(map(_labels, paths.values()), ())) != list(range(len(EXPRESSIONS))):
        raise ValueError(f"The paths must hold each of {EXPRESSIONS} exactly once, got {paths}")
    every = tuple((label,) for label in range(len(EXPRESSIONS)))
    begin = Task("begin", "BeginNet", tuple(paths), tuple(map(_labels, paths.values())))
    subnets = {
        network: Task(
            network,
            f"Subnet{network[-1].upper()}",
            names,
            tuple((label,) for label in _labels(names)),
        )
        for network, names in zip(SUBNETS, paths.values(), strict=True)
    }
    flat = Task("flat", "flat", EXPRESSIONS, every)
    return {"begin": begin, **subnets, "flat": flat}


def _labels(names):
    return tuple(EXPRESSIONS.index(name) for name in names)


SUBNETS = ("subnet_x", "subnet_y", "subnet_z")
"""The network behind each path, in the order of `PATHS`."""

TASKS = tasks_of(PATHS)
"""Network name -> its task. The first four make the multi-network, `flat` is the baseline."""


MULTI_NETWORK = ("begin", *SUBNETS)
"""The four networks that are combined into one SavedModel."""
