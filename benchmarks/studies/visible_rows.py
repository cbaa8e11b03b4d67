"""What it costs and gains to look only at the rows that an occlusion leaves visible.

Trains one network of `from_scratch` twice, on the visible rows and on all rows with the black half,
same data, seed and schedule (an interrupted run goes on), and compares both on the test split and
by the images per second of a training step and of an answer, measured in turns.
"""

import dataclasses
import os
import statistics
from time import perf_counter

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from run_options import run_options

from fer_tf.data.database import find_database
from fer_tf.data.input_pipeline import evaluation_batches
from fer_tf.evaluation.metrics import Bootstrap, compare
from fer_tf.expressions import TASKS
from fer_tf.files import write_json
from fer_tf.provenance import provenance
from fer_tf.training.checkpoint import load_best
from fer_tf.training.network import build_network
from fer_tf.training.recipes import from_scratch
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network

ROUNDS, STEPS, BATCH = 5, 10, 64


def main():
    parser = run_options(__doc__, recipe=None)
    parser.add_argument("--network", default="begin", choices=TASKS)
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    task = TASKS[arguments.network]
    train, validation, test = (
        database.read(split).for_task(task) for split in ("train", "validation", "test")
    )
    recipes = {
        "visible rows": from_scratch(),
        "all rows": dataclasses.replace(
            from_scratch(), name="from_scratch-all_rows", visible_rows=False
        ),
    }
    rows, right = {}, {}
    for name, recipe in recipes.items():
        key = RunKey.of(database, recipe)
        run = train_network(
            arguments.network,
            key,
            train,
            validation,
            arguments.runs_dir,
            TrainingSession(verbose=2),
        )
        net = load_best(key.folder(arguments.runs_dir, arguments.network))
        logits = net.predict(evaluation_batches(*test), verbose=0)
        right[name] = logits.argmax(-1) == test[1]
        rows[name] = {
            "accuracy": float(right[name].mean()),
            "best_validation_loss": run.best_validation_loss,
            "weights": run.weights,
        }
    speeds = measure_speeds(arguments.network, recipes, database.occlusion, train)
    for name, row in rows.items():
        row |= speeds[name]
    bootstrap = Bootstrap(np.arange(len(test[1])))
    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {len(test[1]):,} test images",
        "network": task.title,
        "variants": rows,
        **vars(compare(right["visible rows"], right["all rows"], bootstrap)),
        "training_ratio": rows["visible rows"]["training_images_per_second"]
        / rows["all rows"]["training_images_per_second"],
        "answering_ratio": rows["visible rows"]["answering_images_per_second"]
        / rows["all rows"]["answering_images_per_second"],
    }
    show(numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def measure_speeds(network, recipes, occlusion, train):
    """Median images/s of training steps and of answers, the variants in turns."""
    images, classes = train[0][:BATCH], train[1][:BATCH]
    nets, times = {}, {}
    for name, recipe in recipes.items():
        nets[name] = build_network(network, recipe, occlusion)
        nets[name].compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        nets[name].train_on_batch(images, classes)
        nets[name].predict_on_batch(images)
        times[name] = {"training": [], "answering": []}
    for _ in range(ROUNDS):
        for name, net in nets.items():
            for kind, step in (
                ("training", lambda net=net: net.train_on_batch(images, classes)),
                ("answering", lambda net=net: net.predict_on_batch(images)),
            ):
                started = perf_counter()
                for _ in range(STEPS):
                    step()
                times[name][kind].append(STEPS * BATCH / (perf_counter() - started))
    return {
        name: {f"{kind}_images_per_second": statistics.median(v) for kind, v in kinds.items()}
        for name, kinds in times.items()
    }


def show(numbers):
    table = Table(title=f"{numbers['network']} on {numbers['data']}")
    for column in ("", "accuracy", "training images/s", "answering images/s"):
        table.add_column(column, justify="right")
    for name, row in numbers["variants"].items():
        table.add_row(
            name,
            f"{100 * row['accuracy']:.1f}",
            f"{row['training_images_per_second']:.0f}",
            f"{row['answering_images_per_second']:.0f}",
        )
    console = Console()
    console.print(table)
    low, high = (100 * bound for bound in numbers["difference_95"])
    console.print(
        f"Visible minus all rows: {100 * numbers['difference']:+.1f} points "
        f"({low:+.1f} to {high:+.1f}); {numbers['training_ratio']:.2f} x the training speed, "
        f"{numbers['answering_ratio']:.2f} x the answers per second."
    )


if __name__ == "__main__":
    main()
