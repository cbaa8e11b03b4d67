import shutil

import pytest

from fer_tf.errors import UserError
from fer_tf.export import convert as formats
from fer_tf.export.convert import SUFFIXES, convert


@pytest.fixture
def version(model, tmp_path):
    """A version that a test may write beside."""
    return shutil.copytree(model, tmp_path / "[2024]" / "1")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SUFFIXES)
def test_the_outputs_of_the_file_equal_the_models(kind, version, monkeypatch):
    for package in formats._PACKAGES[kind]:
        pytest.importorskip(package, reason="installed with the extra `formats`")
    compared = []
    compare = formats._compare

    def disturbed(signature, run, kind):
        compare(signature, run, kind)
        compared.append(kind)
        with pytest.raises(UserError, match=f"{kind} the model returns another probabilities"):
            compare(signature, lambda x: run(x) | {"probabilities": run(x)["probability"]}, kind)
        with pytest.raises(UserError, match=f"{kind} the model returns another label"):
            compare(signature, lambda x: run(x) | {"label": ["nobody"] * len(x)}, kind)

    monkeypatch.setattr(formats, "_compare", disturbed)
    file = convert(version, kind)
    assert file == version.parent / f"1{SUFFIXES[kind]}" and file.stat().st_size > 1000
    assert compared == [kind]
    assert {path.stem for path in version.parent.iterdir()} == {"1"}


def test_a_failing_library_is_named_with_its_reason(version, monkeypatch):
    def write(*_):
        raise RuntimeError("no such operation\nand a long trace")

    monkeypatch.setattr(formats, "_write_litert", write)
    with pytest.raises(UserError, match="cannot be converted to litert: no such operation$"):
        convert(version, "litert")
    assert [path.name for path in version.parent.iterdir()] == ["1"]


def test_a_missing_package_is_named(version, monkeypatch):
    monkeypatch.setitem(formats._PACKAGES, "onnx", ("no_such_package",))
    with pytest.raises(UserError, match=r"onnx needs no_such_package .*\.\[formats\]"):
        convert(version, "onnx")


def test_an_unknown_format_is_an_error(version):
    with pytest.raises(UserError, match="'coreml'; choose onnx, litert, openvino"):
        convert(version, "coreml")
