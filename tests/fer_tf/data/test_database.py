import numpy as np
import pytest

from fer_tf.data.database import Database, UncoveredDatabase, find_database
from fer_tf.data.tfrecords import Split
from fer_tf.errors import UserError
from fer_tf.occlusion.occlude import visible_pixels


def prepare(data_dir, *names):
    for name in names:
        folder = data_dir / name / "1.0.0"
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")


def test_finds_the_only_config(tmp_path):
    prepare(tmp_path, "concat_db/drawn")
    (tmp_path / "concat_db" / "fer2013" / "1.0.0.incompleteABC").mkdir(parents=True)
    database = find_database("concat_db", tmp_path)
    assert (str(database), database.occlusion) == ("concat_db/drawn", "upper")


def test_only_the_folder_of_the_version_says_whether_it_is_whole(tmp_path):
    data_dir = tmp_path / "incomplete_thesis" / "1.0.0.incomplete"
    prepare(data_dir, "concat_db/drawn")
    (data_dir / "concat_db" / "drawn" / "incomplete.A1_1.1.0").mkdir()
    (data_dir / "concat_db" / "drawn" / "incomplete.A1_1.1.0" / "dataset_info.json").touch()
    assert find_database("concat_db", data_dir).folder.name == "1.0.0"


def test_finds_the_config_that_is_named(tmp_path):
    prepare(tmp_path, "eye_cdb/drawn", "eye_cdb/fer2013+raf_db-leakfree")
    assert find_database("eye_cdb/drawn", tmp_path).config == "drawn"
    database = find_database("eye_cdb/fer2013+raf_db-leakfree", tmp_path)
    assert (database.config, database.occlusion) == ("fer2013+raf_db-leakfree", "eyes")


def test_what_cannot_be_found_is_said_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match="'sepa'.*concat_db, bconcat_db, eye_cdb"):
        find_database("sepa", tmp_path)
    with pytest.raises(UserError, match="build-datasets concat_db"):
        find_database("concat_db", tmp_path)
    prepare(tmp_path, "concat_db/drawn", "concat_db/kdef")
    with pytest.raises(UserError, match="concat_db/drawn, concat_db/kdef"):
        find_database("concat_db", tmp_path)
    with pytest.raises(UserError, match="'jaffe'.*prepared there: drawn, kdef"):
        find_database("concat_db/jaffe", tmp_path)


def test_mixed_faces_stand_four_times_covered_as_the_databases_cover_them(tmp_path, monkeypatch):
    prepare(tmp_path, "concat_db/drawn", "bconcat_db/drawn")
    with pytest.raises(UserError, match="build-datasets eye_cdb"):
        find_database("mixed", tmp_path)
    prepare(tmp_path, "eye_cdb/drawn")
    database = find_database("mixed", tmp_path)
    assert (str(database), database.occlusion) == ("mixed/drawn", "mixed")

    faces = np.random.default_rng(0).integers(1, 256, (2, 48, 48, 1), np.uint8)
    covered = {kind: faces * visible_pixels(kind) for kind in ("none", "upper", "lower")}
    covered["eyes"] = faces[::-1].copy()
    covered["eyes"][:, 10:20, 5:40] = 0

    def read(self, split, stream=None):
        ids = ["b", "a"] if self.occlusion == "eyes" else ["a", "b"]
        labels = np.array([4, 5] if ids[0] == "a" else [5, 4], np.int32)
        return Split(covered[self.occlusion], labels, ids, [""] * 2)

    for kind in (Database, UncoveredDatabase):
        monkeypatch.setattr(kind, "read", read)
    masked = database.with_eye_masks("train")
    np.testing.assert_array_equal(masked.images[..., :1], faces)
    mask = np.zeros((2, 48, 48), np.uint8)
    mask[:, 10:20, 5:40] = 255
    np.testing.assert_array_equal(masked.images[..., 1], mask)
    split = database.read("test")
    expected = [covered[kind] for kind in ("none", "upper", "lower")] + [covered["eyes"][::-1]]
    np.testing.assert_array_equal(split.images, np.concatenate(expected))
    assert split.ids == ["a", "b"] * 4 and split.labels.tolist() == [4, 5] * 4

    covered["eyes"][0, 0, 0] -= 1
    with pytest.raises(UserError, match="eye_cdb/drawn holds other faces than concat_db/drawn"):
        database.read("test")


def test_uncovered_faces_are_put_together_from_both_halves(tmp_path, monkeypatch):
    prepare(tmp_path, "concat_db/drawn")
    with pytest.raises(UserError, match="build-datasets bconcat_db"):
        find_database("uncovered", tmp_path)
    prepare(tmp_path, "bconcat_db/drawn")
    database = find_database("uncovered", tmp_path)
    assert (str(database), database.occlusion) == ("uncovered/drawn", "none")
    assert database.folder == tmp_path / "concat_db" / "drawn" / "1.0.0"

    faces = np.random.default_rng(0).integers(1, 256, (3, 48, 48, 1), np.uint8)
    halves = {"upper": faces.copy(), "lower": faces[::-1].copy()}
    halves["upper"][:, :24] = halves["lower"][:, 24:] = 0
    names = {"upper": list("abc"), "lower": list("cba")}

    def read(self, split, stream=None):
        where = self.occlusion
        return Split(halves[where], np.arange(3, dtype=np.int32), names[where], [""] * 3)

    monkeypatch.setattr(Database, "read", read)
    monkeypatch.setattr(Database, "fingerprint", lambda self: "of both")
    split = database.read("test")
    np.testing.assert_array_equal(split.images, faces)
    assert split.ids == list("abc")
    monkeypatch.setattr(Database, "fingerprint", lambda self: self.folder.parent.parent.name)
    with pytest.raises(UserError, match="hold other faces.*--rebuild"):
        database.read("test")
