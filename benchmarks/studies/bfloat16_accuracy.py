"""What bfloat16 convolutions cost in accuracy: trained networks, folded in both precisions.

    python benchmarks/studies/bfloat16_accuracy.py --network subnet_y

Answers the test split twice and compares image by image.
"""

import json
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import tensorflow as tf
from run_options import run_options

from fer_tf.data.database import find_database
from fer_tf.data.input_pipeline import EVALUATION_BATCH
from fer_tf.evaluation.metrics import Bootstrap, compare
from fer_tf.expressions import MULTI_NETWORK, TASKS
from fer_tf.models.folding import INFERENCE_PRECISIONS, fold
from fer_tf.provenance import provenance
from fer_tf.training.checkpoint import load_best


def main():
    parser = run_options(__doc__)
    parser.add_argument("--network", action="append", choices=TASKS, help="may be repeated")
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    test = database.read("test")
    folder = arguments.runs_dir / database.name / database.config / arguments.recipe
    numbers = vars(provenance()) | {"data": str(database), "networks": {}}
    for network in arguments.network or MULTI_NETWORK:
        images, classes = test.for_task(TASKS[network])
        trained = load_best(folder / network)
        logits = [answers(fold(trained, precision), images) for precision in INFERENCE_PRECISIONS]
        exact, rough = (each.argmax(-1) == classes for each in logits)
        row = {"test_images": len(classes), "float32": exact.mean(), "bfloat16": rough.mean()}
        row |= vars(compare(rough, exact, Bootstrap(np.arange(len(classes)))))
        row["answers_that_changed"] = int((logits[0].argmax(-1) != logits[1].argmax(-1)).sum())
        numbers["networks"][network] = row
        print(network, json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")


def answers(network, images):
    """Logits float32 [N, classes], computed in a graph as a server does."""
    spec = tf.TensorSpec((None, *images.shape[1:]), tf.uint8)
    run = tf.function(lambda batch: network(batch, training=False), [spec], autograph=False)
    starts = range(0, len(images), EVALUATION_BATCH)
    return np.concatenate([run(images[i : i + EVALUATION_BATCH]).numpy() for i in starts])


if __name__ == "__main__":
    main()
