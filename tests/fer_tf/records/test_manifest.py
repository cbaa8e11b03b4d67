import json
from dataclasses import replace
from pathlib import Path

import pytest

import fer_tf
from fer_tf.errors import UserError
from fer_tf.files import plain, write_json
from fer_tf.records.manifest import MANIFEST, read_manifest
from tests.records import put_manifest

SHIPPED = Path(fer_tf.__file__).parent / "pretrained" / "any_occlusion" / "1"


def test_reading_a_manifest_gives_what_was_written(tmp_path):
    manifest = put_manifest(tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert manifest.trained_on == ["concat_db/drawn"] and not manifest.recognises_occlusion
    manifest = replace(manifest, answering={"none": "eye_cdb", "eyes": "eye_cdb"})
    assert manifest.trained_on == ["eye_cdb/drawn"]


def test_a_manifest_of_an_earlier_version_is_upgraded(tmp_path):
    values = json.loads(json.dumps(plain(read_manifest(SHIPPED))))
    text = json.dumps(values).replace('"majority_baseline"', '"floor"')
    for name in ("path_selection", "joint_probability"):
        text = text.replace(f'"{name}"', f'"{name.replace("_", " ")}"')
    earlier = json.loads(text.replace('"occlusion_net"', '"occlusion"'))
    (tmp_path / MANIFEST).parent.mkdir()
    write_json(tmp_path / MANIFEST, earlier)
    assert read_manifest(tmp_path) == read_manifest(SHIPPED)


def test_missing_and_unknown_fields_are_named(tmp_path):
    with pytest.raises(UserError, match="manifest.json is missing; make the model again"):
        read_manifest(tmp_path)
    put_manifest(tmp_path)
    values = json.loads((tmp_path / MANIFEST).read_text())
    write_json(tmp_path / MANIFEST, values | {"colour": "red"})
    with pytest.raises(UserError, match="has colour, which this version .* make the model again"):
        read_manifest(tmp_path)
