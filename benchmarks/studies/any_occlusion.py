"""What it costs that a model recognises the occlusion itself and cannot look for covered eyes.

    python cli.py train all && python cli.py train occlusion_net
    python benchmarks/studies/any_occlusion.py --json results/any_occlusion.json

On the faces of the test split. Substitutions: the same faces, answered by the networks trained for
their occlusion as evaluated (eyes black where each face has them) and as `any_occlusion` answers
them (black where eyes usually are); uncovered faces, answered like covered eyes, or by networks
trained without occlusion where there are some. Occluders: drawn into the face, answered by the
networks for the occlusion that was drawn (known) and for the one that OcclusionNet recognises; as
for training, and the independent ones of `fer_tf.occlusion.occluders.photo`.

Accuracies of path selection and of the joint probability with 95 % intervals; differences are
paired, over groups of near duplicates.
"""

import functools
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
from occlusion_recognition import KIND_OF, draw_large
from rich.console import Console
from rich.table import Table
from run_options import run_options

from fer_tf.data.database import KINDS, UNCOVERED, find_database
from fer_tf.data.input_pipeline import evaluation_batches
from fer_tf.data.occluder_dataset import eye_boxes
from fer_tf.evaluation.ensembles import FLAT, JOINT, PATH_SELECTION
from fer_tf.evaluation.metrics import Bootstrap, compare, scores
from fer_tf.evaluation.run_set import groups_of
from fer_tf.export.any_occlusion import find_run_folders, occlusion_folder
from fer_tf.expressions import PATHS, labels_of
from fer_tf.files import write_json
from fer_tf.models.layers.path_selection import PathSelection
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.occlusion.kinds import RECOGNISED
from fer_tf.occlusion.occlude import occlude, visible_pixels
from fer_tf.occlusion.occluders.draw import draw_occluder
from fer_tf.occlusion.occluders.photo import OCCLUDERS as INDEPENDENT
from fer_tf.provenance import provenance
from fer_tf.records.run import is_finished, read_run
from fer_tf.training.checkpoint import load_best
from fer_tf.training.run_folder import checkpoint_sha256

OWN_EYES, USUAL = "eyes black where they are", "eyes black where they usually are"
RECORDED = ("commit", "seed", "best_epoch", "weights", "training_images", "seconds")
ON_PATH = np.array([[label in labels_of(path) for label in range(7)] for path in PATHS])


def main():
    parser = run_options(__doc__, UNCOVERED)
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    arguments = parser.parse_args()

    database = find_database(arguments.database, arguments.data_dir)
    networks = Networks(arguments.runs_dir, database.config, arguments.recipe)
    split = database.read(arguments.split)
    boxes = eye_boxes(split.images[..., 0])
    measure = Measure(split.labels, Bootstrap(groups_of(database, split)))
    groups = measure.bootstrap.groups
    substitutions, costs = substitute(networks, split.images, boxes, measure)
    numbers = {
        "provenance": provenance(),
        "data": f"{database}, {arguments.split}: {len(boxes):,} faces in {groups:,} groups",
        "recipe": arguments.recipe,
        "answering_for_none": UNCOVERED if "none" in networks.kinds else "eye_cdb",
        "networks": networks.described,
        "substitutions": substitutions,
        "costs": costs,
        "occluders": cover(networks, split.images[..., 0], boxes, measure),
    }
    show(numbers)
    if arguments.json:
        write_json(arguments.json, numbers)


def substitute(networks, faces, boxes, measure):
    """Accuracies of each way to answer the same faces, and the differences that count."""
    own = np.stack([occlude(face, "eyes", each) for face, each in zip(faces, boxes, strict=True)])
    answers = {
        "upper half black": networks.answer("upper", blackened(faces, "upper")),
        "lower half black": networks.answer("lower", blackened(faces, "lower")),
        OWN_EYES: networks.answer("eyes", own),
        USUAL: networks.answer("eyes", blackened(faces, "eyes")),
        "uncovered, by the networks for eyes": networks.answer("eyes", faces),
    }
    if "none" in networks.kinds:
        answers["uncovered, by networks for uncovered faces"] = networks.answer("none", faces)
    pairs = [(USUAL, OWN_EYES), *((name, USUAL) for name in answers if name.startswith("uncov"))]
    accuracies = {name: measure.accuracies(answer) for name, answer in answers.items()}
    if networks.flat:
        flat = measure.accuracies(networks.answer_flat(faces))[JOINT]
        accuracies["uncovered, by the flat network for uncovered faces"] = {FLAT: flat}
    return accuracies, {
        f"{one} minus {other}": measure.difference(answers[one], answers[other])
        for one, other in pairs
    }


def cover(networks, faces, boxes, measure):
    """What is said of drawn occluders where the occlusion is known and where it is recognised."""
    measured = {}
    for title, kind, draw in drawings(np.random.default_rng(3)):
        pictures = np.stack([draw(*each) for each in zip(faces, boxes, strict=True)])
        pictures = pictures[..., np.newaxis]
        told = networks.recognise(pictures)
        known = networks.answer_as(pictures, np.full(len(pictures), kind))
        recognised = networks.answer_as(pictures, told)
        measured[title] = {
            "occlusion_recognised": float((told == kind).mean()),
            "known": measure.accuracies(known),
            "recognised": measure.accuracies(recognised),
            "recognised_minus_known": measure.difference(recognised, known),
        }
    return measured


def drawings(random):
    """Title, kind and how it is drawn into a face with boxes about its eyes."""
    for kind in RECOGNISED:
        draw = functools.partial(draw_occluder, kind=kind, random=random)
        yield f"{kind}, as for training", kind, draw
    for name, (paint, colours) in INDEPENDENT.items():

        def draw(face, boxes, paint=paint, shades=tuple(colours.values())):  # noqa: B008
            return draw_large(face, boxes, paint, shades[random.integers(len(shades))])

        yield f"{KIND_OF[name]}, {name} drawn independently", KIND_OF[name], draw


class Measure:
    """Accuracies on one split, and paired differences."""

    def __init__(self, labels, bootstrap):
        self._labels = labels
        self.bootstrap = bootstrap

    def accuracies(self, answers):
        """Method -> its accuracies."""
        measured = {}
        for name, said in chosen(answers).items():
            row = scores(self._labels, said, self.bootstrap)
            measured[name] = {
                "accuracy": row.accuracy,
                "accuracy_95": row.accuracy_95,
                "macro_f1": row.macro_f1,
            }
        return measured

    def difference(self, one, other):
        """Method -> one answer's accuracy minus the other's."""
        one, other = chosen(one), chosen(other)
        return {
            name: vars(
                compare(one[name] == self._labels, other[name] == self._labels, self.bootstrap)
            )
            for name in one
        }


class Networks:
    """OcclusionNet and the multi-networks of one recipe."""

    def __init__(self, runs_dir, config, recipe):
        folders = find_run_folders(runs_dir, config, recipe)
        self.kinds = {KINDS[name]: joint(own) for name, own in folders.items()}
        own = occlusion_folder(runs_dir, config)
        self._occlusion_net = load_best(own)
        flat = runs_dir / UNCOVERED / config / recipe / FLAT
        self.flat = load_best(flat) if is_finished(flat) else None
        listed = {OCCLUSION_NET: own} | ({f"{UNCOVERED}/{FLAT}": flat} if self.flat else {})
        for name, each in folders.items():
            listed |= {f"{name}/{network}": folder for network, folder in each.items()}
        self.described = {
            name: {
                **{key: getattr(read_run(folder), key) for key in RECORDED},
                "sha256": checkpoint_sha256(folder),
            }
            for name, folder in listed.items()
        }

    def answer(self, kind, faces):
        """Path and joint probabilities of the networks for a kind, of faces as they are."""
        return self.kinds[kind].predict(evaluation_batches(faces), verbose=0)

    def answer_flat(self, faces):
        """The same of the flat network, which has no paths of its own."""
        logits = self.flat.predict(evaluation_batches(faces), verbose=0)
        probabilities = np.asarray(keras.ops.softmax(logits))
        return {"probabilities": probabilities, "path_probabilities": probabilities @ ON_PATH.T}

    def recognise(self, faces):
        """The kind that each face is taken for."""
        logits = self._occlusion_net.predict(evaluation_batches(faces), verbose=0)
        return np.array(RECOGNISED)[logits.argmax(axis=1)]

    def answer_as(self, faces, told):
        """Answers each face as `OcclusionSelection` does for the given kind of occlusion."""
        rows = {}
        for kind in np.unique(told):
            own = np.flatnonzero(told == kind)
            answering = kind if kind in self.kinds else "eyes"
            answers = self.answer(answering, blackened(faces[own], answering))
            for name, values in answers.items():
                rows.setdefault(name, np.zeros((len(faces), values.shape[1]), values.dtype))
                rows[name][own] = values
        return rows


def joint(folders):
    """The four networks of some runs, all evaluated."""
    begin, *subnets = (load_best(folder) for folder in folders.values())
    images = keras.Input((48, 48, 1), dtype="uint8")
    return keras.Model(images, PathSelection(begin, subnets, routed=False)(images))


def blackened(faces, kind):
    return (faces * visible_pixels(kind)).astype(np.uint8)


def chosen(answers):
    """Method -> the label that it names, from all paths' probabilities."""
    path = answers["path_probabilities"].argmax(axis=1)
    return {
        PATH_SELECTION: (answers["probabilities"] * ON_PATH[path]).argmax(axis=1),
        JOINT: answers["probabilities"].argmax(axis=1),
    }


def show(numbers):
    table = Table("", "path selection", "joint probability", title=numbers["data"])
    for name, row in numbers["substitutions"].items():
        table.add_row(name, *(percent(row[m]) if m in row else "" for m in (PATH_SELECTION, JOINT)))
    for name, row in numbers["costs"].items():
        table.add_row(name, *(points(row[m]) for m in (PATH_SELECTION, JOINT)))
    for name, row in numbers["occluders"].items():
        table.add_section()
        table.add_row(f"{name}: {100 * row['occlusion_recognised']:.1f} % recognised")
        for how in ("known", "recognised"):
            table.add_row(how, *(percent(row[how][m]) for m in (PATH_SELECTION, JOINT)))
        change = row["recognised_minus_known"]
        table.add_row("difference", *(points(change[m]) for m in (PATH_SELECTION, JOINT)))
    Console().print(table)


def percent(row):
    low, high = row["accuracy_95"]
    return f"{100 * row['accuracy']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def points(row):
    low, high = row["difference_95"]
    return f"{100 * row['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


if __name__ == "__main__":
    main()
