from types import SimpleNamespace

import numpy as np
import pytest

from fer_tf.data import occluder_dataset as occlusion_net
from fer_tf.data.occluder_dataset import draw_split, eye_boxes, refuse_covered
from fer_tf.data.sources.drawn import draw_face
from fer_tf.errors import UserError
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occluders import draw as occluders
from fer_tf.training.network import build_network
from fer_tf.training.recipes import recogniser
from fer_tf.training.run_folder import RunKey

FACES = np.stack([draw_face(subject, 0, 0) for subject in range(3)])


@pytest.fixture
def database(monkeypatch):
    """Three drawn faces in each split, of which 24 training images are made."""
    monkeypatch.setattr(occlusion_net, "TRAINING_IMAGES", 24)
    return SimpleNamespace(read=lambda split: SimpleNamespace(images=FACES[..., np.newaxis]))


def test_each_face_is_drawn_with_each_kind_as_often_as_it_takes(database, monkeypatch):
    monkeypatch.setattr(occluders, "_photographed", lambda picture, random: picture)
    images, classes = draw_split(database, "train", seed=0)
    assert images.shape == (24, 48, 48, 1) and images.dtype == np.uint8
    assert classes.tolist() == [0, 1, 2, 3] * 6 and classes.dtype == np.int32
    assert draw_split(database, "validation", seed=0)[0].shape == (12, 48, 48, 1)
    # Twice the first face, then the second: what covers one half leaves the other alone.
    lower = images[classes == RECOGNISED.index("lower"), :, :, 0]
    for number, picture in enumerate(lower):
        distances = [np.abs(picture[12:22].astype(int) - face[12:22]).mean() for face in FACES]
        assert np.argmin(distances) == number // 2


def test_drawings_repeat_with_their_seed_and_differ_between_splits(database):
    first, again, other, validation = (
        draw_split(database, split, seed)[0]
        for split, seed in (("train", 0), ("train", 0), ("train", 1), ("validation", 0))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first[:4] != validation[:4]).any()


def test_eyes_are_found_in_the_order_of_the_faces():
    boxes = eye_boxes(FACES)
    assert boxes.shape == (3, 2, 4)
    np.testing.assert_array_equal(boxes[1], occlusion_net.find_eyes(FACES[1])[0])
    assert eye_boxes(FACES[:0]).shape == (0, 2, 4)


@pytest.mark.parametrize("name", ["concat_db", "eye_cdb/drawn"])
def test_covered_faces_are_refused(name):
    refuse_covered(["uncovered", "uncovered/drawn"])
    with pytest.raises(UserError, match=f"--database is {name}; .* give uncovered or"):
        refuse_covered(["uncovered", name])


def test_its_run_tells_its_classes_and_no_expressions():
    run = RunKey("uncovered", "drawn", "", "none", recogniser()).setup("occlusion_net")
    assert run.classes == ["none", "upper", "lower", "eyes"]
    assert run.labels is None and run.paths is None


def test_its_network_answers_with_four_logits_for_all_rows():
    network = build_network("occlusion_net", recogniser(), "none")
    assert network.name == "occlusion_net" and network.output_shape == (None, 4)
    assert network.input_shape == (None, 48, 48, 1)
    images = np.full((3, 48, 48, 1), 128, np.uint8)
    images[1, :8], images[2, 40:] = 0, 0
    network.set_weights(  # A new network gives zeros: its last block adds nothing yet.
        [np.random.default_rng(0).uniform(0.05, 0.1, w.shape) for w in network.get_weights()]
    )
    logits = network.predict(images, verbose=0)
    assert logits.dtype == np.float32
    assert (logits[1] != logits[0]).any() and (logits[2] != logits[0]).any()
