"""Where predictions go, one picture after the other: standard output, and files."""

import contextlib
import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from fer_tf.faces.picture_files import is_video
from fer_tf.faces.pictures import Picture, read_header
from fer_tf.inference.annotated_files import open_annotated
from fer_tf.inference.prediction import Prediction
from fer_tf.inference.prediction_files import csv_file
from fer_tf.terminal import console, is_read

MOST_ROWS = 200
"""Faces in the printed table at most; a video has thousands."""


class Outputs(contextlib.ExitStack):
    """Takes answered pictures one after the other and keeps none of them.

    A context manager; the CSV file is complete when the block ends.

    Args:
        as_json: whether a JSON list is printed instead of a table.
        csv: file to write, or None.
        annotated: folder for pictures with the answers drawn in, or an MP4 file, or None.
        files: the pictures and videos that are predicted.
        every: a video's frames are predicted one in so many.

    Raises:
        UserError: if a file or folder cannot be written; before anything is predicted.
    """

    def __init__(
        self,
        as_json: bool = False,
        csv: Path | None = None,
        annotated: Path | None = None,
        files: Sequence[Path] = (),
        every: int = 1,
    ):
        super().__init__()
        self._as_json = as_json
        self._csv = csv
        self._annotated = self._append = None
        with contextlib.ExitStack() as stack:  # An error in the second also ends the first.
            if annotated:
                self._annotated = stack.enter_context(open_annotated(annotated, files, every))
            if csv:
                self._append = stack.enter_context(csv_file(csv))
            self.push(stack.pop_all())
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
                if not (is_read() or self._append or self._annotated):
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
        if self._annotated:
            sentences += self._annotated.written()
        return sentences

    def _take_one(self, picture, predictions):
        if self._append:
            self._append(predictions)
        if self._annotated:
            self._annotated.write(picture, predictions)
        for prediction in predictions:
            if self._as_json:
                item = textwrap.indent(json.dumps(prediction.to_dict(), indent=1), " ")
                print(",\n" if self._count else "[\n", item, sep="", end="", flush=True)
            elif picture.live:  # Printed at once.
                line = f"{prediction.label} {prediction.probability:.2f}, path {prediction.path}"
                if prediction.identity:
                    line = f"face {prediction.identity}: {line}"
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
        name += f", face {p.identity}" if p.identity else ""
        face = f"{p.square.x}, {p.square.y}, {p.square.side}" if p.square else "none found: centre"
        path = f"{p.path} ({p.path_probabilities[p.path]:.2f})"
        cells = [p.label, f"{p.probability:.2f}", path]
        if recognised:
            cells.insert(0, f"{p.occlusion} ({p.occlusion_probabilities[p.occlusion]:.2f})")
        rows.add_row(name, face, *cells)
    return rows


def progress_bar(files: Sequence[Path], as_json: bool) -> Progress:
    """A progress bar on a terminal's standard error, for several files or a video.

    Standard output is left alone: it may be a file.
    """
    stderr = console(stderr=True)
    is_short = len(files) < 2 and not any(map(is_video, files))
    mixed = as_json and console().is_terminal
    return Progress(
        TextColumn("{task.description}", markup=False),
        *(BarColumn(), MofNCompleteColumn()),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        redirect_stdout=False,
        disable=is_short or mixed or not stderr.is_terminal,
    )


def count_frames(pictures: Iterable[Picture], bar: Progress) -> Iterator[Picture]:
    """Pictures as they are; while they come from a video the bar counts its frames."""
    video, task = None, None
    for picture in pictures:
        if task is not None and picture.photo != video:
            bar.remove_task(task)
            video, task = None, None
        if picture.frame and task is None:
            video = picture.photo
            total = read_header(Path(video)).frames or None
            task = bar.add_task(Path(video).name, total=total)
        if task is not None:
            bar.update(task, completed=picture.frame.number + 1)
        yield picture
