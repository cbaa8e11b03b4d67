"""How training goes, for who watches: a live table on a terminal, a line per epoch elsewhere."""

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
# Left out one after the other on narrow terminals.
_SPARE = ("loss", "images/s", "accuracy", "validation loss", "validation accuracy", "time left")
_REFRESHES_PER_SECOND = 2


@dataclass
class _Row:
    """What is known of one network.

    Attributes:
        epoch: the one that is trained, from 1; of a finished network the best one.
        share: of that epoch's images that are done.
        trained: images done by this process, in all epochs.
        left: images still to do.
        clock: time and `trained` after the first step, before which the network is traced.
    """

    title: str
    state: str = "waiting"
    images: int = 0
    epochs: int = 0
    epoch: int = 0
    share: float = 0.0
    trained: int = 0
    left: int = 0
    clock: tuple[float, int] | None = None
    images_per_second: float | None = None
    values: dict[str, float] = field(default_factory=dict)

    def count(self, epochs_done: int, images: int, first_epoch: int):
        """Brings images, speed and what is left up to date."""
        self.share = images / self.images
        self.trained = (epochs_done - first_epoch) * self.images + images
        self.left = (self.epochs - first_epoch) * self.images - self.trained
        if self.clock is None:
            self.clock = monotonic(), self.trained
        since, before = self.clock
        if self.trained > before:
            self.images_per_second = (self.trained - before) / max(monotonic() - since, 1e-9)

    def cells(self) -> dict[str, str]:
        """What stands in the table, by column."""
        speed = self.images_per_second
        epoch = f"{self.epoch}/{self.epochs}" if self.epochs else ""
        left = self.state
        if self.state == "training":
            epoch += f" {self.share:4.0%}"
            left = _duration(self.left / speed) if speed else "..."
        elif self.state == "done":
            epoch = f"best {epoch}"
        return {
            "network": self.title,
            "epoch": epoch,
            **{name: _show(key, self.values.get(key)) for key, name in _VALUES.items()},
            "images/s": f"{speed:,.0f}" if speed else "",
            "time left": left,
        }

    def line(self) -> str:
        """The same as a sentence."""
        cells = self.cells()
        if self.state == "done":
            begin = f"done, best epoch {self.epoch} of {self.epochs}"
        else:
            begin = f"epoch {self.epoch} of {self.epochs}"
        parts = [begin, *(f"{name} {cells[name]}" for name in _VALUES.values() if cells[name])]
        if cells["images/s"]:
            parts.append(f"{cells['images/s']} images/s")
        if self.state == "training" and self.images_per_second and self.left:
            parts.append(f"{cells['time left']} left")
        return f"{self.title}: {', '.join(parts)}"


class Progress:
    """Shows how some networks, trained one after the other or side by side, come along.

    A context manager: the table is drawn inside, and stays as it was last, cursor and all in
    order, however the block is left.

    Args:
        title: what is trained, e.g. "concat_db/fer2013, recipe quick".
        networks: names in `fer_tf.models.networks.NETWORKS`, in the order of the table.
        console: where to; standard output by default.
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
        """A network is trained from now on.

        Args:
            network: its name.
            images: in an epoch.
            epochs: of the whole run.
            epochs_done: those behind the checkpoint that it goes on from.
            values: results of the last of them: loss, accuracy, val_loss, val_accuracy.
        """
        row = self._rows[network]
        row.state, row.images, row.epochs = "training", images, epochs
        row.epoch = min(epochs_done + 1, epochs)
        row.values = dict(values or {})
        self._first_epochs[network] = epochs_done
        if not self._live:
            begins = f"goes on after epoch {epochs_done} of" if epochs_done else "begins,"
            self._print(f"{row.title}: {begins} {epochs} epochs of {images:,} images")

    def step(self, network: str, images: int, logs: Mapping[str, float] | None = None) -> None:
        """So many images of the current epoch are done; logs are the means over them."""
        row = self._rows[network]
        row.count(row.epoch - 1, images, self._first_epochs[network])
        row.values |= logs or {}

    def end_epoch(self, network: str, epoch: int, logs: Mapping[str, float]) -> None:
        """An epoch, counted from 1, and its validation are done, with these results."""
        row = self._rows[network]
        row.epoch = epoch
        row.count(epoch - 1, row.images, self._first_epochs[network])
        row.values |= logs
        if not self._live:
            self._print(row.line())
        if epoch < row.epochs:
            row.epoch, row.share = epoch + 1, 0.0

    def finish(self, network: str, run: Run, history: Sequence[Mapping[str, float]]) -> None:
        """A network is trained, now or in an earlier process.

        Args:
            network: its name.
            run: the finished run.
            history: its rows, of which the best epoch's are shown.
        """
        row = self._rows[network]
        row.state, row.epoch, row.epochs = "done", run.best_epoch, run.epochs_done
        row.values = dict(history[row.epoch - 1]) if len(history) >= row.epoch else {}
        row.values["val_loss"] = run.best_validation_loss
        row.images_per_second = run.images_per_second
        if not self._live:
            self._print(row.line())

    def note(self, sentence: str) -> None:
        """Says something beside the table."""
        self._console.print(Text(f"Note: {sentence}"), soft_wrap=True, highlight=False)

    def _print(self, line):
        # Flushes: a line in a log file is to be read at once.
        self._console.print(Text(f"{self._title}, {line}"), soft_wrap=True, highlight=False)

    def _table(self) -> Table:
        """The rows, with as many columns as find room."""
        rows = [row.cells() for row in self._rows.values()]
        spare = list(_SPARE)
        columns = list(rows[0])
        while True:
            # So narrow that 80 characters hold every column.
            table = Table(title=self._title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
            for column in columns:
                heading = column.replace("validation", "valid.").replace(" ", "\n")
                side = "left" if column in ("network", "epoch") else "right"
                table.add_column(heading, justify=side, no_wrap=True)
            for row in rows:
                table.add_row(*(row[column] for column in columns))
            options = self._console.options.update(max_width=10_000)
            width = Measurement.get(self._console, options, table).maximum
            if width <= self._console.width or not spare:
                return table
            columns.remove(spare.pop(0))


def _show(key, value):
    if value is None:
        return ""
    return f"{value:.1%}" if key.endswith("accuracy") else f"{value:.4f}"


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
