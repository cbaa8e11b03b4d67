from pathlib import Path

import pytest

from fer_tf.errors import UserError
from fer_tf.export.combine_models import CombineOptions
from fer_tf.export.contract import ExportOptions


def options(names, name=None, **others):
    return CombineOptions(names, "quick", name, False, *[Path("none")] * 3, **others)


@pytest.mark.parametrize(
    ("names", "others", "message"),
    [
        (["any_occlusion/drawn", "eye_cdb"], {}, "name it alone"),
        (["any_occlusion"], {"formats": ["onnx"]}, "a SavedModel only"),
        (["eye_cdb"], {"name": "any_occlusion"}, "is for the model of all databases"),
        ([], {"name": "mine"}, "--name names one model"),
        (
            ["eye_cdb"],
            {"formats": ["onnx"], "export": ExportOptions("bfloat16")},
            "leave out --precision",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(names, others, message):
    with pytest.raises(UserError, match=message):
        options(names, **others)


def test_where_no_database_is_prepared_the_name_to_write_is_given():
    with pytest.raises(UserError, match="concat_db is not prepared .* write any_occlusion/CONFIG"):
        options(["any_occlusion"]).find_databases()
