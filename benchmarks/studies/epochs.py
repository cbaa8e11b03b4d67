"""Whether networks of a recipe would learn from more epochs.

    python benchmarks/studies/epochs.py --database concat_db --epochs 16 begin subnet_x

Trains networks again with other numbers of epochs and nothing else changed, and tells their lowest
validation losses beside those of the recipe. No test image is looked at.
"""

import dataclasses
import json
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from run_options import run_options

from fer_tf.data.database import find_database
from fer_tf.evaluation.run_set import training_summary
from fer_tf.expressions import TASKS
from fer_tf.files import write_json
from fer_tf.provenance import provenance
from fer_tf.training.callbacks import validation_losses
from fer_tf.training.checkpoint import load_best
from fer_tf.training.recipes import get_recipe
from fer_tf.training.run_folder import RunKey
from fer_tf.training.session import TrainingSession
from fer_tf.training.train import train_network


def main():
    parser = run_options(__doc__)
    parser.add_argument("networks", nargs="+", choices=TASKS)
    parser.add_argument("--epochs", type=int, required=True)
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    recipe = get_recipe(arguments.recipe)
    splits = [database.read(name) for name in ("train", "validation")]
    numbers = {"data": str(database), "recipe": recipe.name, "networks": {}}
    for network in arguments.networks:
        schedule = dataclasses.replace(recipe.schedules[network], epochs=arguments.epochs)
        other = dataclasses.replace(
            recipe,
            name=f"{recipe.name}-{arguments.epochs}_epochs",
            schedules=recipe.schedules | {network: schedule},
        )
        keys = {"recipe": RunKey.of(database, recipe), "other": RunKey.of(database, other)}
        parts = [split.for_task(TASKS[network]) for split in splits]
        # First the recipe's own, which refuses a start that is not trained or of other faces.
        train_network(
            network, keys["recipe"], *parts, arguments.runs_dir, TrainingSession(verbose=2)
        )
        start = None
        if recipe.init_from not in (None, network):
            start = load_best(keys["recipe"].folder(arguments.runs_dir, recipe.init_from))
        train_network(
            network,
            keys["other"],
            *parts,
            arguments.runs_dir,
            TrainingSession(verbose=2),
            start=start,
        )
        folders = {name: key.folder(arguments.runs_dir, network) for name, key in keys.items()}
        losses = validation_losses(folders)
        numbers["networks"][network] = {
            name: vars(training_summary(folder)) | {"validation_losses": losses[name]}
            for name, folder in folders.items()
        }
    print(json.dumps(numbers, indent=1))
    if arguments.json:
        write_json(arguments.json, numbers | {"provenance": provenance()})


if __name__ == "__main__":
    main()
