"""Small `run.json` and manifests for tests that need one to be there."""

from pathlib import Path

from fer_tf.expressions import EXPRESSIONS, PATHS
from fer_tf.files import write_record
from fer_tf.records.manifest import MANIFEST, Manifest
from fer_tf.records.run import RecipeRecord, Run, write_run


def put_run(folder: Path, **changes) -> Run:
    """Writes the `run.json` of a finished network into a folder."""
    values = {
        "database": "concat_db",
        "config": "drawn",
        "data_fingerprint": "faces",
        "occlusion": "upper",
        "recipe": RecipeRecord(name="tiny"),
        "seed": 0,
        "network": folder.name,
        "classes": [],
        "labels": list(EXPRESSIONS),
        "paths": {path: list(names) for path, names in PATHS.items()},
        "finished": True,
    }
    run = Run(**values | changes)
    folder.mkdir(parents=True, exist_ok=True)
    write_run(folder, run)
    return run


def put_manifest(version: Path, **changes) -> Manifest:
    """Writes the manifest of a model of concat_db into a version's folder."""
    values = {
        "database": "concat_db",
        "config": "drawn",
        "occlusion": "upper",
        "recipe": "tiny",
        "image_size": 32,
        "labels": list(EXPRESSIONS),
        "networks": {},
    }
    manifest = Manifest(**values | changes)
    (version / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
    write_record(version / MANIFEST, manifest)
    return manifest
