"""Images per second of a training step of ResNeXt-50 32x4d: ours, PyTorch's and stock Keras'.

One input channel, float32, SGD with momentum, all cores. The contenders of a size stand loaded in
processes of their own and work in turns, so a change in the machine's speed meets all; a ratio
is taken within a round, and the median over the rounds is given with the lowest and the highest.

    python benchmarks/training_throughput.py --json results/FILE
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fer_tf.provenance import provenance

HERE = Path(__file__).parent
BATCH = {48: 64, 96: 32, 224: 16}
STEPS = {48: 3, 96: 2, 224: 1}
"""In one turn, so that it lasts a few seconds on two cores."""
STOCK_SIZE, STOCK_BATCH, STOCK_ROUNDS = 48, 8, 2
OURS, PYTORCH, STOCK = "ours", "PyTorch", "stock Keras"
FIT, ATTENTION = "ours, fit", "ours, with attention"
PAUSE = 0.5
"""Seconds before a turn, in which the threads of the one before go to sleep."""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", choices=BATCH, default=list(BATCH))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=Path(".venv-bench/bin/python"),
        help="interpreter that has PyTorch; `make bench` makes it",
    )
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()

    with_torch = arguments.peers_python.exists()
    if not with_torch:
        print(f"PyTorch is left out: no {arguments.peers_python}; `make bench` installs it.")
    rows = []
    for size in arguments.sizes:
        batch = BATCH[size]
        commands = {name: ours(kind, size, batch) for name, kind in KINDS.items()}
        if with_torch:
            worker = HERE / "training_steps_torch.py"
            commands[PYTORCH] = [arguments.peers_python, worker, size, batch]
        rows += compare(commands, size, batch, STEPS[size], arguments.rounds)
        if size == STOCK_SIZE:
            commands = {
                OURS: ours("step", size, STOCK_BATCH),
                STOCK: ours("stock", size, STOCK_BATCH),
            }
            rows += compare(commands, size, STOCK_BATCH, 1, STOCK_ROUNDS)
    Console().print(table(rows))
    if arguments.json:
        result = vars(provenance()) | {"rounds": arguments.rounds, "rows": rows}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
        print(f"Written: {arguments.json}")


KINDS = {OURS: "step", FIT: "fit", ATTENTION: "attention"}


def ours(kind, size, batch):
    return [sys.executable, HERE / "training_steps.py", kind, size, batch]


def compare(commands, size, batch, steps, rounds):
    """Lets the contenders work in turns.

    Args:
        commands: contender -> command of its worker.
        size: side of the images in pixels.
        batch: images per step.
        steps: steps per turn.
        rounds: turns of each contender.

    Returns:
        A dict per contender: rates in images per second, and the ratio of `OURS` to it.
    """
    workers = {}
    try:
        for name, command in commands.items():
            print(f"{size}x{size}, batch {batch}: starting {name}", flush=True)
            workers[name] = Worker(command)
        rates = {name: [] for name in workers}
        cpu_rates = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                time.sleep(PAUSE)
                answer = worker.work(steps)
                rates[name].append(steps * batch / answer["seconds"])
                cpu_rates[name].append(steps * batch / answer["cpu_seconds"])
        return [
            {"size": size, "batch": batch, "contender": name}
            | worker.ready
            | {
                "images_per_second": spread(rates[name]),
                "images_per_cpu_second": spread(cpu_rates[name]),
                "ours_to_it": spread(ratios(rates[OURS], rates[name])),
                "ours_to_it_per_cpu_second": spread(ratios(cpu_rates[OURS], cpu_rates[name])),
            }
            for name, worker in workers.items()
        ]
    finally:
        for worker in workers.values():
            worker.stop()


def ratios(ours, theirs):
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def spread(values):
    return {
        "median": round(statistics.median(values), 3),
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
    }


class Worker:
    """A contender's process, ready to work.

    Args:
        command: of the process; see training_steps.py for what it says.

    Attributes:
        ready: what it said when it was ready.
    """

    def __init__(self, command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )
        self.ready = self._answer()

    def work(self, steps) -> dict:
        """Does that many steps and returns the seconds they took."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self):
        """Ends the process, which leaves when nothing more can be asked of it."""
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            sys.exit(f"{' '.join(map(str, self.process.args))} ended:\n{self.errors.read()}")
        return json.loads(line)


def table(rows):
    shown = Table(title="Training ResNeXt-50 32x4d")
    for heading in ("size", "batch", "contender", "weights"):
        shown.add_column(heading, justify="left" if heading == "contender" else "right")
    for heading in ("images/s", "ours : it", "images per CPU s", "ours : it"):
        shown.add_column(heading, justify="right")
    for row in rows:
        shown.add_row(
            str(row["size"]),
            str(row["batch"]),
            row["contender"],
            f"{row['weights']:,}",
            f"{row['images_per_second']['median']:.1f}",
            in_words(row["ours_to_it"]),
            f"{row['images_per_cpu_second']['median']:.1f}",
            in_words(row["ours_to_it_per_cpu_second"]),
        )
    return shown


def in_words(ratio):
    return f"{ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"


if __name__ == "__main__":
    main()
