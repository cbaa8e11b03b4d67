"""Whether LiteRT and TensorFlow answer all test faces alike.

    python benchmarks/studies/runtimes_agree.py --json results/runtimes_agree.json

Both runtimes of one model that recognises the occlusion answer the test faces of the four
databases by both signatures.
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from fer_tf.data.database import find_database
from fer_tf.files import write_json
from fer_tf.inference.model_evaluation import DATABASE_OF, SIGNATURES
from fer_tf.inference.predict import LITERT, TENSORFLOW, ExpressionModel, find_model
from fer_tf.provenance import provenance
from fer_tf.records.manifest import read_manifest

NAMES = ("label", "path", "occlusion")
NUMBERS = ("probability", "probabilities", "path_probabilities", "occlusion_probabilities")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path("data/tfds"))
    parser.add_argument("--models-dir", type=Path, default=Path("saved_models"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    version = find_model("any_occlusion", arguments.models_dir)
    config = read_manifest(version).config
    models = {name: ExpressionModel(version, name) for name in (LITERT, TENSORFLOW)}
    rows = []
    for database in DATABASE_OF.values():
        faces = find_database(f"{database}/{config}", arguments.data_dir).read("test")
        for signature in SIGNATURES.values():
            rows.append(compare(models, f"{database}/{config}", signature, faces.images[..., 0]))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(
            *(f"{value:.2g}" if isinstance(value, float) else str(value) for value in row.values())
        )
    Console().print(table)
    if arguments.json:
        model = f"{version.parent.name}, version {version.name}"
        write_json(arguments.json, {"provenance": provenance(), "model": model, "rows": rows})


def compare(models, database, signature, faces):
    answers, seconds = {}, {}
    for name, model in models.items():
        start = perf_counter()
        answers[name] = model.ask(signature, faces)
        seconds[name] = perf_counter() - start
    one, other = answers[LITERT], answers[TENSORFLOW]
    row = {"database": database, "signature": signature, "faces": len(faces)}
    row |= {f"other_{name}": int((one[name] != other[name]).sum()) for name in NAMES}
    row["largest_difference"] = max(float(np.abs(one[n] - other[n]).max()) for n in NUMBERS)
    return row | {f"seconds_{name}": round(value, 1) for name, value in seconds.items()}


if __name__ == "__main__":
    main()
