"""Makes the pictures and the terminal output of this folder anew, of drawn faces only.

    python cli.py combine any_occlusion --recipe demo    # of networks trained on real faces
    python tools/screenshots.py    # wants Gradio, Playwright and Chromium: requirements-all.txt

Writes `annotated.jpg` (what `predict --annotate` draws), `page.png` (the page in a browser) and,
between its marks in `docs/README.md`, what `predict` prints. With another model, e.g. concat_db of
`make demo`, correct what the texts beside the pictures say of it.
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
    """Draws, predicts, opens the page, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models-dir", type=Path, default=ROOT / "saved_models")
    parser.add_argument("--name", default="any_occlusion", help="the model that is asked")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "portraits.png"
        cv2.imwrite(str(picture), np.hstack([portrait(*each) for each in PORTRAITS]))
        told = predict(picture, arguments.models_dir, arguments.name, Path(folder) / "annotated")
        shutil.copy(Path(folder) / "annotated/portraits.jpg", DOCS / "annotated.jpg")
        photograph_page(picture, LocalModels(arguments.models_dir), arguments.name)
    readme = DOCS / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{told}\n{END}{after}")


def portrait(person: int, expression: int, occluder: str | None, shade: str | None) -> np.ndarray:
    """A drawn face, covered where its eyes are seen before: uint8 [240, 240, 3], BGR."""
    image = draw_portrait(person, expression, 0, size=240)
    return cover(image, occluder, shade) if occluder else image


def predict(picture: Path, models_dir: Path, name: str, annotated: Path) -> str:
    """What a user types and sees, indented for Markdown."""
    command = ["predict", picture.name, "--name", name, "--annotate", annotated.name]
    run = subprocess.run(
        [sys.executable, ROOT / "cli.py", *command, "--models-dir", models_dir.resolve()],
        cwd=picture.parent,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        sys.exit(run.stderr)
    told = run.stdout.replace(f"{models_dir.resolve()}/", "saved_models/")
    lines = [f"$ python cli.py {' '.join(command)}", *told.splitlines()]
    return "".join(f"    {line}".rstrip() + "\n" for line in lines)


def photograph_page(picture: Path, models: LocalModels, name: str) -> None:
    """The page after the picture was dropped there, its leftmost face with all four masks."""
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
    few = Image.open(picture.parent / "page.png").convert("RGB").quantize(128)  # A third in size.
    few.save(DOCS / "page.png", optimize=True)
    built.close(verbose=False)


if __name__ == "__main__":
    main()
