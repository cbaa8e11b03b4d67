"""How one process trains: on which devices, from which state, and what the user sees."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_tf.training.workers import is_chief

if TYPE_CHECKING:
    from fer_tf.training.progress import Progress


@dataclass(frozen=True)
class TrainingSession:
    """How one process trains, whatever it trains.

    Attributes:
        strategy: a `tf.distribute.Strategy`; None for one device, and always on JAX.
        restart: whether to delete what a run's folder contains and begin anew.
        deterministic: whether to use only operations that give the same bits each time, which is
            slower and holds for the rest of the process. JAX is left as it is.
        verbose: as in `keras.Model.fit`; 0 where there is a progress.
        progress: displays how training goes.
        note: receives each sentence for the user; by default the progress does, or `print`.
    """

    strategy: object | None = None
    restart: bool = False
    deterministic: bool = False
    verbose: int | str = "auto"
    progress: "Progress | None" = None
    note: Callable[[str], None] | None = None

    @property
    def replicas(self) -> int:
        """Number of devices that share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one of several workers that writes the run's files."""
        return is_chief(self.strategy)

    def scope(self):
        """The context in which the variables of a model are created."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def show(self, sentence: str) -> None:
        """Passes a sentence on to the user."""
        note = self.note or (self.progress.note if self.progress else print)
        note(sentence)


USUAL_SESSION = TrainingSession()
"""One device, continuing what was begun."""
