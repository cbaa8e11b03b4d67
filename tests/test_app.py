"""The page of `python cli.py app` in a real browser, which contacts nobody else."""

import shutil
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_tf.app import page
from fer_tf.app.models import TRAINED_ON_DRAWN, LocalModels
from fer_tf.data.sources.drawn import draw_portrait
from tests.records import put_manifest
from tests.tiny_model import copy_tiny_model

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing"),
]

ARGUMENTS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --use-fake-ui-for-media-stream --use-fake-device-for-media-stream""".split()
PATIENCE = 30_000
"""Milliseconds to wait for an answer, on a machine that does other work too."""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, occlusion, config in (("concat_db", "upper", "drawn"), ("eye_cdb", "eyes", "kdef")):
        copy_tiny_model(folder / name / "1")
        put_manifest(folder / name / "1", occlusion=occlusion, database=name, config=config)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    portraits = [draw_portrait(3, 0, 0, size=200), draw_portrait(5, 6, 0, size=200)]
    cv2.imwrite(str(folder / "two.png"), np.concatenate(portraits, axis=1))
    cv2.imwrite(str(folder / "wall.png"), np.full((120, 160, 3), 90, np.uint8))
    (folder / "bad.jpg").write_bytes(b"<html>")
    (folder / "huge.jpg").write_bytes(b"\xff\xd8" + bytes(21_000_000))
    return folder


@pytest.fixture(scope="module")
def contacted():
    """Hosts and addresses that this process looked up or connected to."""
    seen = set()
    with pytest.MonkeyPatch.context() as patch:
        look_up, connect = socket.getaddrinfo, socket.socket.connect

        def looked_up(host, *arguments, **options):
            seen.add(host)
            return look_up(host, *arguments, **options)

        def connected(self, address):
            seen.add(address[0] if isinstance(address, tuple) else "a local socket")
            return connect(self, address)

        patch.setattr(socket, "getaddrinfo", looked_up)
        patch.setattr(socket.socket, "connect", connected)
        yield seen


@pytest.fixture(scope="module")
def served(models_dir, tmp_path_factory, contacted):
    """Address of the page and the folder of its uploads."""
    uploads = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        patch.setenv("GRADIO_TEMP_DIR", str(uploads))
        built = page.build(LocalModels(models_dir))
        yield page.launch(built, "127.0.0.1", None), uploads  # On any free port.
        built.close(verbose=False)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=str(CHROMIUM),
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


@pytest.fixture
def tab(browser, served):
    """The page as it opens; afterwards no other host was asked and no upload is left."""
    url, uploads = served
    opened = browser.new_page()
    asked = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(url)
    opened.get_by_label("concat_db").wait_for()
    yield opened
    opened.close()
    outside = [each for each in asked if not each.startswith((url, "data:", "blob:"))]
    assert not outside
    assert not [path for path in uploads.rglob("*") if path.is_file()]


def give(tab, file):
    tab.locator("input[type=file]").set_input_files(file)


def test_a_picture_is_answered_with_each_mask_and_asked_again(tab, pictures, served):
    tab.get_by_text(TRAINED_ON_DRAWN).wait_for()
    give(tab, pictures / "two.png")

    tab.get_by_role("heading", name="Face 1 of 2").wait_for()
    assert any(served[1].iterdir())  # Uploads go there; the fixture sees that none stays.
    assert tab.locator(".card h3").all_inner_texts() == [
        "As it is",
        "Upper half covered",
        "Lower half covered",
        "Eyes covered",
    ]
    assert tab.locator(".card").first.locator("tr").count() == 7
    loaded = "images => images.every(image => image.complete && image.naturalWidth > 0)"
    assert tab.locator(".fer img").evaluate_all(loaded)

    tab.get_by_label("Face 2").check()
    tab.get_by_role("heading", name="Face 2 of 2").wait_for()
    tab.get_by_label("eye_cdb").check()
    tab.get_by_text("trained with the eyes covered").wait_for()
    tab.get_by_text("trained on eye_cdb/kdef").wait_for()
    assert not tab.get_by_text(TRAINED_ON_DRAWN).is_visible()

    give(tab, pictures / "wall.png")  # The place for pictures is free again.
    tab.get_by_text("No face was found").wait_for()
    assert not tab.get_by_label("Face 2").is_visible()


def test_bad_files_are_told_and_the_page_goes_on(tab, pictures):
    give(tab, pictures / "bad.jpg")
    alert = tab.get_by_role("alert").filter(has_text="bad.jpg is no picture that can be read")
    alert.wait_for()
    assert "Traceback" not in tab.content()

    give(tab, pictures / "huge.jpg")
    tab.get_by_text("exceed the maximum allowed size").first.wait_for()

    give(tab, pictures / "wall.png")
    tab.get_by_text("No face was found").wait_for()


def test_the_keyboard_is_enough(tab, pictures):
    give(tab, pictures / "two.png")
    tab.get_by_role("heading", name="Face 1 of 2").wait_for()
    tab.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(12):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.closest('label,button')?.innerText"))
        if reached[-1] == "Face 2":
            break
    assert "eye_cdb" in reached and reached[-1] == "Face 2"
    tab.keyboard.press("Space")
    tab.get_by_role("heading", name="Face 2 of 2").wait_for()


def test_the_upload_opens_by_the_keyboard(tab):
    with tab.expect_file_chooser() as chosen:
        tab.get_by_role("button", name="Drop an image file here to upload").press("Enter")
    assert chosen.value.element


def test_the_camera_is_answered(tab):
    tab.get_by_role("button", name="Capture from camera").click()
    tab.get_by_text("Click to Access Webcam").click()
    filmed = "[...document.querySelectorAll('video')].some(each => each.videoWidth > 0)"
    tab.wait_for_function(filmed)
    tab.get_by_role("button", name="capture photo").click()
    tab.get_by_text("covered in four ways").wait_for()


def test_nothing_is_cut_off_on_a_narrow_screen(tab, pictures):
    tab.set_viewport_size({"width": 360, "height": 740})
    give(tab, pictures / "two.png")
    tab.get_by_role("heading", name="Face 1 of 2").wait_for()

    width = "document.documentElement.scrollWidth"
    assert tab.evaluate(width) <= 360
    for box in tab.locator(".fer img, .fer .card").all():
        place = box.bounding_box()
        assert place["x"] >= 0 and place["x"] + place["width"] <= 360


def test_a_model_that_disappears_is_one_sentence(tab, pictures, models_dir):
    shutil.move(models_dir / "eye_cdb", models_dir.parent / "away")
    try:
        tab.get_by_label("eye_cdb").check()
        tab.get_by_text("holds no eye_cdb any more").first.wait_for()
    finally:
        shutil.move(models_dir.parent / "away", models_dir / "eye_cdb")


def test_no_other_machine_was_contacted(contacted):
    names = {host for host in contacted if host is not None}
    assert names <= {"127.0.0.1", "localhost", "::1", "a local socket", b"127.0.0.1", ""}
