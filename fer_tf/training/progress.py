"""The display of training: a live table on a terminal, otherwise a line for each epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from fer_tf import terminal
from fer_tf.models.networks import title_of
from fer_tf.records.run import Run

_VALUES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}
# Columns that narrow terminals omit, in this order.
_OPTIONAL = ("loss", "images/s", "accuracy", "validation loss", "validation accuracy", "time left")
_REFRESHES_PER_SECOND = 2


@dataclass
class _Row:
    """The state of one network.

    Attributes:
        epoch: the epoch that is trained, from 1; of a finished network the best epoch.
        share: share of the epoch's images that are done.
        trained: images done by this process, in all epochs.
        remaining: images still to do.
        clock: time and `trained` after the first step, because tracing delays that step.
    """

    title: str
    state: str = "waiting"
    images: int = 0
    epochs: int = 0
    epoch: int = 0
    share: float = 0.0
    trained: int = 0
    remaining: int = 0
    clock: tuple[float, int] | None = None
    images_per_second: float | None = None
    values: dict[str, float] = field(default_factory=dict)

    def count(self, epochs_done: int, images: int, first_epoch: int):
        """Updates the images done, the speed and the remaining images."""
        self.share = images / self.images
        self.trained = (epochs_done - first_epoch) * self.images + images
        self.remaining = (self.epochs - first_epoch) * self.images - self.trained
        if self.clock is None:
            self.clock = monotonic(), self.trained
        since, before = self.clock
        if self.trained > before:
            self.images_per_second = (self.trained - before) / max(monotonic() - since, 1e-9)

    def cells(self) -> dict[str, str]:
        """The cells of the table: column -> text."""
        speed = self.images_per_second
        epoch = f"{self.epoch}/{self.epochs}" if self.epochs else ""
        time_left = self.state
        if self.state == "training":
            epoch += f" {self.share:4.0%}"
            time_left = _duration(self.remaining / speed) if speed else "..."
        elif self.state == "done":
            epoch = f"best {epoch}"
        return {
            "network": self.title,
            "epoch": epoch,
            **{name: _show(key, self.values.get(key)) for key, name in _VALUES.items()},
            "images/s": f"{speed:,.0f}" if speed else "",
            "time left": time_left,
        }

    def line(self) -> str:
        """The cells as a sentence."""
        cells = self.cells()
        if self.state == "done":
            state = f"done, best epoch {self.epoch} of {self.epochs}"
        else:
            state = f"epoch {self.epoch} of {self.epochs}"
        parts = [state, *(f"{name} {cells[name]}" for name in _VALUES.values() if cells[name])]
        if cells["images/s"]:
            parts.append(f"{cells['images/s']} images/s")
        if self.state == "training" and self.images_per_second and self.remaining:
            parts.append(f"{cells['time left']} left")
        return f"{self.title}: {', '.join(parts)}"


class Progress:
    """Displays the training of several networks.

    It is a context manager: the table is updated inside the block, and its last state remains
    afterwards, also after an error.

    Args:
        title: the title, e.g. "concat_db/fer2013, recipe quick".
        networks: names in `fer_tf.models.networks.NETWORKS`, in the order of the table.
        console: the output; by default standard output.
    """

    def __init__(self, title: str, networks: Sequence[str], console: Console | None = None):
        self._title = title
        self._rows = {network: _Row(title_of(network)) for network in networks}
        self._first_epochs = {}
        self._console = console or terminal.console()
        self._live = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=_REFRESHES_PER_SECOND,
            )

    def __enter__(self):
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error):
        if self._live:
            self._live.stop()

    def begin(
        self,
        network: str,
        images: int,
        epochs: int,
        epochs_done: int = 0,
        values: Mapping[str, float] | None = None,
    ) -> None:
        """Displays that the training of a network begins.

        Args:
            network: the network's name.
            images: images in an epoch.
            epochs: epochs of the whole run.
            epochs_done: epochs of the checkpoint from which the run continues.
            values: results of the last finished epoch: loss, accuracy, val_loss, val_accuracy.
        """
        row = self._rows[network]
        row.state, row.images, row.epochs = "training", images, epochs
        row.epoch = min(epochs_done + 1, epochs)
        row.values = dict(values or {})
        self._first_epochs[network] = epochs_done
        if not self._live:
            verb = f"goes on after epoch {epochs_done} of" if epochs_done else "begins,"
            self._print(f"{row.title}: {verb} {epochs} epochs of {images:,} images")

    def step(self, network: str, images: int, logs: Mapping[str, float] | None = None) -> None:
        """Displays the images of the current epoch that are done, and the means over them."""
        row = self._rows[network]
        row.count(row.epoch - 1, images, self._first_epochs[network])
        row.values |= logs or {}

    def end_epoch(self, network: str, epoch: int, logs: Mapping[str, float]) -> None:
        """Displays the results of a finished epoch, counted from 1."""
        row = self._rows[network]
        row.epoch = epoch
        row.count(epoch - 1, row.images, self._first_epochs[network])
        row.values |= logs
        if not self._live:
            self._print(row.line())
        if epoch < row.epochs:
            row.epoch, row.share = epoch + 1, 0.0

    def finish(self, network: str, run: Run, history: Sequence[Mapping[str, float]]) -> None:
        """Displays that a network is trained.

        Args:
            network: the network's name.
            run: the finished run.
            history: the rows of its history.
        """
        row = self._rows[network]
        row.state, row.epoch, row.epochs = "done", run.best_epoch, run.epochs_done
        row.values = dict(history[row.epoch - 1]) if len(history) >= row.epoch else {}
        row.values["val_loss"] = run.best_validation_loss
        row.images_per_second = run.images_per_second
        if not self._live:
            self._print(row.line())

    def note(self, sentence: str) -> None:
        """Displays a sentence above the table."""
        self._console.print(Text(f"Note: {sentence}"), soft_wrap=True, highlight=False)

    def _print(self, line):
        # Flushes, so that a line in a log file can be read at once.
        self._console.print(Text(f"{self._title}, {line}"), soft_wrap=True, highlight=False)

    def _table(self) -> Table:
        """The table with as many columns as fit."""
        rows = [row.cells() for row in self._rows.values()]
        optional = list(_OPTIONAL)
        columns = list(rows[0])
        while True:
            # Narrow enough for every column in 80 characters.
            table = Table(title=self._title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
            for column in columns:
                heading = column.replace("validation", "valid.").replace(" ", "\n")
                side = "left" if column in ("network", "epoch") else "right"
                table.add_column(heading, justify=side, no_wrap=True)
            for row in rows:
                table.add_row(*(row[column] for column in columns))
            options = self._console.options.update(max_width=10_000)
            width = Measurement.get(self._console, options, table).maximum
            if width <= self._console.width or not optional:
                return table
            columns.remove(optional.pop(0))


def _show(key, value):
    if value is None:
        return ""
    return f"{value:.1%}" if key.endswith("accuracy") else f"{value:.4f}"


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
