"""Learn the eye prior from FER2013: `python -m tools.eye_prior RAW_FER2013_FOLDER OUT.npz`.

No eyes are labelled. The first teacher is a slow cascade search; it counts where it finds the same
pair of eyes in a face and in its mirror image. The second teacher is a prior learnt from the first;
it counts where its estimates in seven views of a face agree, and adds faces in which the cascade
finds no eyes. The file contains weights of regressions on oriented gradients, no pixels.

The shipped file was learnt from 9,000 faces of FER2013 (one from each group of near duplicates,
none with eyes marked by hand and no near duplicate of those; seeds 0, 1 and 2). The first teacher
labelled 5,207 faces, both teachers together 7,567; the result deviates from these labels by 0.53
pixels in each coordinate. Learning takes about 15 minutes on one core and 2 GB of memory; another
run or machine gives the same weights but for rounding.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from fer_tf.data.near_duplicates import near_duplicates
from fer_tf.data.sources import fer2013
from fer_tf.data.splits import find_groups
from fer_tf.occlusion.eye_regressor import (
    CELLS,
    UNCERTAINTY_CELL,
    EyePrior,
    align,
    alignment,
    features,
    invert,
    move_eyes,
    transform,
)
from tools.eye_teachers import agreed_eyes, merge_teachers, search_slowly
from tools.eye_views import random_view

FACES = 9000
"""Number of faces that the teachers label."""

TRAINING_ROWS = 28_709
"""FER2013's rows of usage Training, which come first in its file."""

# The faces with eyes marked by hand, tests/data/eye_labels_*.csv, come from these rows of a random
# order of the training rows. These faces and their near duplicates are kept out of the fit.
_ORDER_SEED = 2024
_KEPT_OUT = (slice(0, 115), slice(1000, 1085))

_SEED = 0
_VIEWS = (4, 5)  # views of each face in the first and in the second fit
_RIDGES = (0.1, 0.1, 0.2, 0.2)  # shares of the features' mean variance, for each of `CELLS`
_UNCERTAINTY_RIDGE = 0.3
_UNCERTAINTY_VIEWS = 3
_WORST = 5.0  # error in pixels that counts as uncertainty 1


def choose_faces(images: np.ndarray, count: int = FACES, kept_out: np.ndarray | None = None):
    """Choose faces by chance, one from each group of near duplicates.

    Args:
        images: uint8 [N, 48, 48], all of FER2013 in the order of its file.
        count: number of faces at most.
        kept_out: rows whose groups are left out; the rows marked by hand when None.

    Returns:
        int64 [at most count], row numbers.
    """
    if kept_out is None:
        order = np.random.default_rng(_ORDER_SEED).permutation(TRAINING_ROWS)
        kept_out = np.concatenate([order[part] for part in _KEPT_OUT])
    groups = find_groups(images, [""] * len(images), near_duplicates(images))
    first = np.unique(groups, return_index=True)[1]
    allowed = np.flatnonzero(
        np.isin(np.arange(len(images)), first) & ~np.isin(groups, groups[kept_out])
    )
    return np.random.default_rng(_SEED).permutation(allowed)[:count]


def fit_prior(faces: np.ndarray, eyes: np.ndarray, views: int, seed: int) -> EyePrior:
    """Fit all regressions of a prior.

    Args:
        faces: uint8 [N, 48, 48].
        eyes: float [N, 2, 2].
        views: number of random views of each face.
        seed: of the views.
    """
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in zip(faces, eyes, strict=True) for _ in range(views)]
    viewed = [random_view(face, place, rng) for face, place in pairs]
    images, targets = (list(column) for column in zip(*viewed, strict=True))
    steps: list[np.ndarray] = []
    estimates: list[np.ndarray] = []
    for cell, ridge in zip(CELLS, _RIDGES, strict=True):
        if not steps:
            rows = [features(image, cell) for image in images]
            weights = _fit_linear(rows, targets, ridge)
            estimates = _estimates(rows, weights)
        else:
            matrices = [alignment(estimate) for estimate in estimates]
            rows = [
                features(align(image, matrix), cell)
                for image, matrix in zip(images, matrices, strict=True)
            ]
            triples = list(zip(matrices, estimates, targets, strict=True))
            weights = _fit_linear(
                rows, [transform(m, t) - transform(m, e) for m, e, t in triples], ridge
            )
            corrections = _estimates(rows, weights)
            estimates = [
                transform(invert(m), transform(m, e) + c)
                for (m, e, _), c in zip(triples, corrections, strict=True)
            ]
        steps.append(weights)
    prior = EyePrior(tuple(steps), np.zeros(0, np.float32))
    return EyePrior(prior.steps, _fit_uncertainty(prior, faces, eyes, rng))


def learn(faces: np.ndarray, progress: Callable = track) -> tuple[EyePrior, dict[str, float]]:
    """Learn a prior from faces uint8 [N, 48, 48] without labels.

    Returns:
        The prior and figures: "faces", their number; "searched", labelled by the first teacher;
        "learnt", labelled by both teachers together; "deviation", mean absolute difference in
        pixels between the prior's estimates and these labels.
    """
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye.xml")
    searched = [search_slowly(face, cascade) for face in progress(faces, "Searching slowly")]
    certain = [number for number, eyes in enumerate(searched) if eyes is not None]
    prior = fit_prior(
        faces[certain], np.array([searched[number] for number in certain]), _VIEWS[0], 1
    )

    rng = np.random.default_rng(_SEED)
    agreed = [agreed_eyes(prior, face, rng) for face in progress(faces, "Comparing views")]
    merged = [merge_teachers(s, *a) for s, a in zip(searched, agreed, strict=True)]
    known = [number for number, eyes in enumerate(merged) if eyes is not None]
    eyes = np.array([merged[number] for number in known])
    prior = fit_prior(faces[known], eyes, _VIEWS[1], 2)

    ends = np.array([prior.estimate(face)[0] for face in faces[known]])
    figures = {"faces": len(faces), "searched": len(certain), "learnt": len(known)}
    return prior, figures | {"deviation": float(np.abs(ends - eyes).mean())}


def _fit_uncertainty(
    prior: EyePrior, faces: np.ndarray, eyes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Fit the error of the results that good and bad starts lead to."""
    rows, errors = [], []
    for face, place in zip(faces, eyes, strict=True):
        for number in range(_UNCERTAINTY_VIEWS):
            view, target = random_view(face, place, rng)
            if number:
                turn, scale = rng.normal(0, 0.35), np.exp(rng.normal(0, 0.25))
                start = move_eyes(target, rng.normal(0, 5, 2), turn, scale)
            else:
                start = prior.first(view)
            end = prior.descend(view, start)
            rows.append(features(align(view, alignment(end)), UNCERTAINTY_CELL))
            errors.append(min(np.abs(end - target).mean() / _WORST, 1))
    return _fit_linear(rows, errors, _UNCERTAINTY_RIDGE)[:, 0]


def _fit_linear(rows: list[np.ndarray], targets: list, ridge: float) -> np.ndarray:
    """Ridge regression in closed form: float32 [number of features + 1, number of targets]."""
    targets = np.reshape(targets, (len(rows), -1))
    mean, target_mean = np.mean(rows, axis=0, dtype=np.float64), targets.mean(axis=0)
    if len(rows) < len(mean):  # the smaller matrix gives the same weights, in seconds
        centred = np.array(rows) - mean
        square = centred @ centred.T
        square[np.diag_indices_from(square)] += ridge * np.trace(square) / len(mean)
        weights = centred.T @ np.linalg.solve(square, targets - target_mean)
        return np.vstack([weights, target_mean - mean @ weights]).astype(np.float32)
    square = np.zeros((len(mean), len(mean)))
    product = np.zeros((len(mean), targets.shape[1]))
    for start in range(0, len(rows), 4000):  # blocks save memory
        block = (np.array(rows[start : start + 4000]) - mean).astype(np.float32)
        square += block.T @ block
        product += block.T @ (targets[start : start + 4000] - target_mean).astype(np.float32)
    square[np.diag_indices_from(square)] += ridge * np.trace(square) / len(square)
    weights = np.linalg.solve(square, product)
    return np.vstack([weights, target_mean - mean @ weights]).astype(np.float32)


def _estimates(rows: list[np.ndarray], weights: np.ndarray) -> list[np.ndarray]:
    return [(row @ weights[:-1] + weights[-1]).reshape(2, 2) for row in rows]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Learn the eye prior from FER2013.")
    parser.add_argument("folder", type=Path, help="holds fer2013.csv or icml_face_data.csv")
    parser.add_argument("out", type=Path, help="file to write, e.g. fer_tf/occlusion/eye_prior.npz")
    parser.add_argument("--faces", type=int, default=FACES)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    images = np.stack([face.image for face in fer2013.read(arguments.folder)])
    prior, figures = learn(images[choose_faces(images, arguments.faces)])
    prior.save(arguments.out)
    print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
