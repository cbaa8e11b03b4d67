"""Where predictions go, one picture after the other: standard output, and files."""

import contextlib
import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from fer_tf.faces.pictures import Picture
from fer_tf.inference.prediction import Prediction
from fer_tf.inference.prediction_files import AnnotatedFolder, csv_file
from fer_tf.terminal import console, is_read

MOST_ROWS = 200
"""Faces in the printed table at most; a video has thousands."""


class Outputs(contextlib.ExitStack):
    """Takes answered pictures one after the other and keeps none of them.

    A context manager; the CSV file is complete when the block ends.

    Args:
        as_json: whether a JSON list is printed instead of a table.
        csv: file to write, or None.
        annotated: folder for pictures with the answers drawn in, or None.
        files: the pictures and videos that are predicted.

    Raises:
        UserError: if a file or folder cannot be written; before anything is predicted.
    """

    def __init__(
        self,
        as_json: bool = False,
        csv: Path | None = None,
        annotated: Path | None = None,
        files: Sequence[Path] = (),
    ):
        super().__init__()
        self._as_json = as_json
        self._csv = csv
        self._folder = AnnotatedFolder(annotated, files) if annotated else None
        self._append = self.enter_context(csv_file(csv)) if csv else None
        self._rows: list[Prediction] = []
        self._count = 0

    def take(self, answered: Iterable[tuple[Picture, list[Prediction]]]) -> bool:
        """Take pictures with their predictions until there are no more, or Ctrl-C.

        This also ends when nobody reads the standard output any more and no file is written.

        Returns:
            Whether Ctrl-C was pressed; the answers until then are printed and written.
        """
        interrupted = False
        try:
            for picture, predictions in answered:
                self._take_one(picture, predictions)
                if not (is_read() or self._append or self._folder):
                    break
        except KeyboardInterrupt:
            interrupted = True
        if self._as_json:
            print("\n]" if self._count else "[]")
        elif self._rows:
            console().print(predictions_table(self._rows))
            if hidden := self._count - len(self._rows):
                print(f"{hidden:,} more faces are not shown; --csv FILE or --json has them all.")
        return interrupted

    def written(self) -> list[str]:
        """A sentence for each file or folder that was written."""
        sentences = []
        if self._csv:
            sentences.append(f"Wrote {self._csv}: {self._count:,} faces")
        if self._folder:
            sentences.append(f"Wrote {self._folder.folder}: {self._folder.count:,} pictures")
        return sentences

    def _take_one(self, picture, predictions):
        if self._append:
            self._append(predictions)
        if self._folder:
            self._folder.write(picture, predictions)
        for prediction in predictions:
            if self._as_json:
                item = textwrap.indent(json.dumps(prediction.to_dict(), indent=1), " ")
                print(",\n" if self._count else "[\n", item, sep="", end="", flush=True)
            elif picture.live:  # Printed at once.
                line = f"{prediction.label} {prediction.probability:.2f}, path {prediction.path}"
                if prediction.occlusion:
                    line += f", covered: {prediction.occlusion}"
                print(f"{picture.frame.seconds:.2f} s: {line}", flush=True)
            elif len(self._rows) < MOST_ROWS:
                self._rows.append(prediction)
            self._count += 1


def predictions_table(predictions: list[Prediction]) -> Table:
    """The predictions, a row for each face."""
    photo = Column("photo", overflow="fold")  # Never cut a name short.
    recognised = any(p.occlusion for p in predictions)
    titles = ["covered"] if recognised else []
    rows = Table(photo, "face (x, y, side)", *titles, "expression", "probability", "path")
    for p in predictions:
        name = f"{p.photo} at {p.frame.seconds:.2f} s" if p.frame else p.photo
        face = f"{p.square.x}, {p.square.y}, {p.square.side}" if p.square else "none found: centre"
        path = f"{p.path} ({p.path_probabilities[p.path]:.2f})"
        cells = [p.label, f"{p.probability:.2f}", path]
        if recognised:
            cells.insert(0, f"{p.occlusion} ({p.occlusion_probabilities[p.occlusion]:.2f})")
        rows.add_row(name, face, *cells)
    return rows


def progress_bar(files: Sequence[Path], as_json: bool) -> Progress:
    """A progress bar on a terminal's standard error; it shows for several files only.

    Standard output is left alone: it may be a file.
    """
    stderr = console(stderr=True)
    mixed = as_json and console().is_terminal
    return Progress(
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        redirect_stdout=False,
        disable=len(files) < 2 or mixed or not stderr.is_terminal,
    )
