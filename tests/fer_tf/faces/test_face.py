from threading import Thread

import cv2
import numpy as np
import pytest

from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.errors import UserError
from fer_tf.faces import face as faces
from fer_tf.faces.face import Square, crop_square, crop_to_face, find_faces, read_picture

ORIENTATION_6 = (  # an EXIF segment that says: turn by 90 degrees clockwise to look at it
    b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Two portraits on a gray wall: 300 px wide at (20, 30), 220 px wide at (360, 80)."""
    picture = np.full((360, 600, 3), 128, np.uint8)
    picture[30:330, 20:320] = draw_portrait(0, 0, 0, size=300)
    picture[80:300, 360:580] = draw_portrait(1, 1, 0, size=220)
    return picture


@pytest.fixture
def ramp() -> np.ndarray:
    """uint8 [4, 6]: every pixel has its own value."""
    return np.arange(24, dtype=np.uint8).reshape(4, 6)


def test_faces_are_found_largest_first(scene):
    large, small = find_faces(scene)

    assert 20 < large.x and large.x + large.side < 320
    assert 360 < small.x and small.x + small.side < 580
    assert 90 < small.side < large.side


def test_the_wall_around_a_face_does_not_move_its_square():
    portrait = draw_portrait(0, 0, 0, size=200)
    (alone,) = find_faces(portrait)
    (in_the_middle,) = find_faces(np.pad(portrait, ((300, 300), (300, 300), (0, 0)), "edge"))

    moved = np.subtract(in_the_middle, alone)
    np.testing.assert_allclose(moved, (300, 300, 0), atol=12)


def test_gray_and_colour_give_the_same_squares(scene):
    assert find_faces(cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)) == find_faces(scene)


def test_smallest_leaves_small_faces_out(scene):
    (large,) = find_faces(scene, smallest=0.4)

    assert large.x < 320


@pytest.mark.parametrize("subject", [1, 2, 3, 4])
def test_a_face_at_the_border_is_found(subject):
    portrait = draw_portrait(subject, 0, 0, size=300)
    x, y, side = find_faces(portrait)[0]
    cut = int(0.07 * side)

    assert find_faces(portrait[y + cut : y + side - cut, x + cut : x + side - cut])


def test_of_overlapping_squares_the_one_with_more_votes_stays(monkeypatch):
    class Detector:
        def detectMultiScale2(self, *_, **__):  # noqa: N802
            boxes = [(10, 10, 60, 60), (30, 30, 30, 30), (20, 30, 40, 40), (90, 10, 20, 20)]
            return np.array(boxes), np.array([20, 16, 50, 17])

    monkeypatch.setattr(faces, "_detector", Detector)

    assert find_faces(np.zeros((9, 200), np.uint8)) == [(20, 30, 40), (90, 10, 20)]


@pytest.mark.parametrize("shape", [(200, 300), (24, 24), (5, 5), (1, 400)])
def test_no_face_in_a_blank_picture(shape):
    assert find_faces(np.full(shape, 90, np.uint8)) == []


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_no_face_in_blurred_noise(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (30, 40), np.uint8)

    assert find_faces(cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC)) == []


def test_every_thread_loads_its_own_detector_once(monkeypatch, scene):
    loaded, faces = [], []
    load = cv2.CascadeClassifier
    monkeypatch.setattr(cv2, "CascadeClassifier", lambda path: loaded.append(path) or load(path))

    def find_twice():
        faces.extend([find_faces(scene), find_faces(scene)])

    threads = [Thread(target=find_twice), Thread(target=find_twice)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loaded) == 2
    assert faces == [find_faces(scene)] * 4


def test_crop_inside(ramp):
    np.testing.assert_array_equal(crop_square(ramp, Square(2, 1, 3)), ramp[1:4, 2:5])


def test_crop_repeats_the_border_outside(ramp):
    cropped = crop_square(ramp, Square(-2, -1, 8))

    np.testing.assert_array_equal(cropped, np.pad(ramp, ((1, 3), (2, 0)), "edge"))


def test_crop_keeps_channels_and_is_a_copy():
    picture = np.zeros((5, 5, 3), np.uint8)

    crop_square(picture, Square(1, 1, 2))[:] = 7

    assert crop_square(picture, Square(1, 1, 2)).shape == (2, 2, 3)
    assert not picture.any()


def test_crop_to_face_takes_the_largest_face(scene):
    square, is_face = crop_to_face(scene)

    assert is_face
    np.testing.assert_array_equal(square, crop_square(scene, find_faces(scene, 1 / 4)[0]))


def test_crop_to_face_finds_small_faces_too():
    picture = np.full((700, 700, 3), 128, np.uint8)
    picture[100:260, 400:560] = draw_portrait(1, 1, 0, size=160)

    square, is_face = crop_to_face(picture)

    assert is_face
    assert square.shape[0] < 160


@pytest.mark.parametrize("turn", [lambda image: image, lambda image: image.swapaxes(0, 1)])
def test_without_a_face_the_largest_centred_square_is_taken(turn):
    picture = turn(np.tile(np.arange(100, dtype=np.uint8), (40, 1)))

    square, is_face = crop_to_face(picture)

    assert not is_face
    np.testing.assert_array_equal(turn(square), np.tile(np.arange(30, 70), (40, 1)))


def write(path, image, suffix=".png"):
    path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    return path


def test_read_colour_under_a_name_outside_ascii(tmp_path):
    picture = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)

    path = write(tmp_path / "Гесicht 顔.png", picture)

    np.testing.assert_array_equal(read_picture(path), picture)


def test_read_gray_and_16_bits_and_transparency_as_8_bit_colour(tmp_path, ramp):
    colour = cv2.cvtColor(ramp, cv2.COLOR_GRAY2BGR)
    clear = np.dstack([colour, np.zeros_like(ramp)])
    files = {
        "gray": write(tmp_path / "gray.png", ramp),
        "16 bits": write(tmp_path / "deep.png", ramp.astype(np.uint16) * 257),
        "alpha": write(tmp_path / "clear.png", clear),
        "tiff": write(tmp_path / "gray.tiff", ramp, ".tiff"),
    }

    for name, path in files.items():
        np.testing.assert_array_equal(read_picture(path), colour, err_msg=name)


def test_read_turns_upright(tmp_path):
    picture = np.full((16, 32, 3), 255, np.uint8)
    picture[:, :16] = 0  # the left half, which stands above after the turn
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    path = tmp_path / "turned.jpg"
    path.write_bytes(data[:2] + ORIENTATION_6 + data[2:])

    upright = read_picture(path)

    assert upright.shape == (32, 16, 3)
    assert upright[:12].max() < 50 and upright[20:].min() > 200


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\xff\xd8\xff\xe0 cut"])
def test_read_refuses_what_is_no_picture(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)

    with pytest.raises(UserError, match=rf"photo.jpg \({len(content)} bytes\) is no picture"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_read_refuses_a_file_that_was_cut_short(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = write(tmp_path / f"photo{suffix}", noise, suffix)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(UserError, match="is no picture"):
        read_picture(path)


def test_read_refuses_folders_and_missing_files(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_picture(tmp_path)
    with pytest.raises(UserError, match="missing.jpg cannot be read"):
        read_picture(tmp_path / "missing.jpg")
