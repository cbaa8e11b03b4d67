"""Make the pictures and the terminal output under `docs/` from drawn faces.

    python cli.py combine any_occlusion --recipe demo    # from networks trained on real faces
    python tools/screenshots.py    # needs Gradio, Playwright and Chromium: requirements-all.txt

Writes `annotated.jpg` (the picture of `predict --annotate`), `page.png` (the page in a browser) and
the output of `predict`, which goes between the marks in `docs/README.md`. After a run with another
model, e.g. concat_db of `make demo`, correct the texts beside the pictures.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from fer_tf.app import page
from fer_tf.app.example_pictures import cover
from fer_tf.app.models import LocalModels
from fer_tf.data.sources.drawn import draw_portrait
from fer_tf.faces.detector import detect_faces

DOCS = Path(__file__).resolve().parent.parent / "docs"
ROOT = DOCS.parent

PORTRAITS = (
    (8, 3, None, None),
    (14, 0, "mask", "blue"),
    (17, 6, "sunglasses", "brown"),
    (30, 2, "headset", "gray"),
)
"""Person, expression (anger, happiness, surprise, sadness), occluder and its shade."""

CHROMIUM = shutil.which("chromium")
BEGIN, END = "<!-- made by `python tools/screenshots.py` -->", "<!-- end -->"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models-dir", type=Path, default=ROOT / "saved_models")
    parser.add_argument("--name", default="any_occlusion", help="name of the model")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "portraits.png"
        cv2.imwrite(str(picture), np.hstack([portrait(*each) for each in PORTRAITS]))
        output = predict(picture, arguments.models_dir, arguments.name, Path(folder) / "annotated")
        shutil.copy(Path(folder) / "annotated/portraits.jpg", DOCS / "annotated.jpg")
        photograph_page(picture, LocalModels(arguments.models_dir), arguments.name)
    readme = DOCS / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{output}\n{END}{after}")


def portrait(person: int, expression: int, occluder: str | None, shade: str | None) -> np.ndarray:
    """Draw a face, with an occluder if one is named: uint8 [240, 240, 3], BGR."""
    image = draw_portrait(person, expression, 0, size=240)
    return cover(image, occluder, shade) if occluder else image


def predict(picture: Path, models_dir: Path, name: str, annotated: Path) -> str:
    """Run `predict`; return the command and its output, indented for Markdown."""
    command = ["predict", picture.name, "--name", name, "--annotate", annotated.name]
    process = subprocess.run(
        [sys.executable, ROOT / "cli.py", *command, "--models-dir", models_dir.resolve()],
        cwd=picture.parent,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.exit(process.stderr)
    output = process.stdout.replace(f"{models_dir.resolve()}/", "saved_models/")
    lines = [f"$ python cli.py {' '.join(command)}", *output.splitlines()]
    return "".join(f"    {line}".rstrip() + "\n" for line in lines)


def photograph_page(picture: Path, models: LocalModels, name: str) -> None:
    """Photograph the page after an upload, with the leftmost face of the picture chosen."""
    faces = detect_faces(cv2.imread(str(picture)))
    number = 1 + faces.index(min(faces, key=lambda face: face.x))
    built = page.build(models)
    url = page.launch(built, "127.0.0.1", 7869)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1240, "height": 900})
        tab.set_default_timeout(180_000)
        tab.goto(url)
        tab.get_by_label(name).check()
        tab.locator("input[type=file]").set_input_files(picture)
        tab.get_by_role("heading", name="Face 1 of").wait_for()
        tab.get_by_label(f"Face {number}").check()
        tab.get_by_role("heading", name=f"Face {number} of").wait_for()
        loaded = "[...document.querySelectorAll('.fer img')].every(image => image.naturalWidth)"
        tab.wait_for_function(loaded)
        tab.screenshot(path=picture.parent / "page.png", full_page=True)
        browser.close()
    reduced = (
        Image.open(picture.parent / "page.png").convert("RGB").quantize(128)
    )  # a third in size
    reduced.save(DOCS / "page.png", optimize=True)
    built.close(verbose=False)


if __name__ == "__main__":
    main()
