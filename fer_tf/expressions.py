"""The seven expressions, the three paths and the five classification tasks.

This is the only module that defines an order. Labels 0 to 6 are those of the paper's section 3.1,
paths A, B and C those of section 3.2. To try another partition, change `PATHS`: every task, network
head, SavedModel and figure follows from it.
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
"""Other names of the expressions in databases and in folders of photographs."""

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
    """The classes of one network.

    Attributes:
        network: the network's name on the command line and on disk, e.g. "subnet_x".
        title: its name in the paper, e.g. "SubnetX".
        classes: class names, in the order of the network's logits.
        expressions: for each class the labels (0 to 6) that belong to it.
    """

    network: str
    title: str
    classes: tuple[str, ...]
    expressions: tuple[tuple[int, ...], ...]

    @property
    def class_of(self) -> tuple[int, ...]:
        """For each of the seven labels its class in this task, or -1."""
        classes = [-1] * len(EXPRESSIONS)
        for index, labels in enumerate(self.expressions):
            for label in labels:
                classes[label] = index
        return tuple(classes)


def find_label(name: str) -> int | None:
    """Returns the label (0 to 6) of a name such as "Happiness", "happy" or "3_ANGRY", or None.

    Only letters are compared, in any case.
    """
    letters = "".join(filter(str.isalpha, name)).lower()
    for label, expression in enumerate(EXPRESSIONS):
        if letters in (expression.lower(), *_OTHER_NAMES[expression].split()):
            return label
    return None


def labels_of(path: str) -> tuple[int, ...]:
    """Returns the labels (0 to 6) of the expressions on a path."""
    return _labels(PATHS[path])


def tasks_of(paths: Mapping[str, tuple[str, ...]]) -> dict[str, Task]:
    """Returns the five tasks of a partition.

    Args:
        paths: like `PATHS`, three paths that contain each expression once.

    Returns:
        Network name -> its task.

    Raises:
        ValueError: if an expression is missing or occurs twice.
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
"""The network of each path, in the order of `PATHS`."""

TASKS = tasks_of(PATHS)
"""Network -> its task. The first four make the multi-network; `flat` is the baseline."""


MULTI_NETWORK = ("begin", *SUBNETS)
"""The four networks that are combined into one SavedModel."""
