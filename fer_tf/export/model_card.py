"""The model card of a version: what it is made of, what it is for and what it is not for."""

from pathlib import Path

from fer_tf.data.config_names import sources_of
from fer_tf.export.model_store import is_pretrained
from fer_tf.export.warmup import routes
from fer_tf.expressions import EXPRESSIONS
from fer_tf.markdown import markdown_table
from fer_tf.models.networks import COMBINED, title_of
from fer_tf.percent import accuracy_with_interval, percent
from fer_tf.records.manifest import Manifest, read_manifest

_OCCLUSIONS = {
    "upper": "the upper half (rows 0 to 23 of 48); the model blackens it itself",
    "lower": "the lower half (rows 24 to 47 of 48); the model blackens it itself",
    "eyes": "the eyes; the client blackens them (`fer_tf.occlusion.occlude`), the model does not",
    "none": "nothing: for faces that are not covered, a reference",
    "any": "the upper half, the lower half, the eyes or nothing: OcclusionNet recognises which, "
    "the model blackens that half or where eyes usually are, its networks answer",
}

_COVERED = {
    "none": "(uncovered)",
    "upper": "(upper half covered)",
    "lower": "(lower half covered)",
    "eyes": "(eyes covered)",
}

_RIGHTS = {
    "fer2013": "FER2013 (Goodfellow et al. 2013, arXiv 1307.0414): photographs found by web search "
    "and given out for research; they remain their owners', and no licence of them is implied. "
    "Other packages that ship weights trained on it: `fer` gives out its own under the MIT "
    "licence; `deepface`, MIT too, says that the licences of models are inherited and names none "
    "for its expression model (serengil/deepface#970).",
    "jaffe": "JAFFE: given on request, for research that is not commercial.",
    "kdef": "KDEF: given on request, for research that is not commercial.",
    "raf_db": "RAF-DB: given on request, for research that is not commercial.",
    "drawn": "Drawn faces: made by this program. What a model learnt from them says nothing about "
    "real faces.",
}


def model_card(name: str, version: int, manifest: Manifest) -> str:
    """Returns the card of a version.

    Args:
        name: the model's name.
        version: its number.
        manifest: its manifest.

    Returns:
        Markdown.
    """
    labels = ", ".join(f"{i} {label}" for i, label in enumerate(manifest.labels))
    rights = "\n".join(f"- {_RIGHTS[source]}" for source in sources_of(manifest.config))
    return f"""# {name}, version {version}

Names the expression of a partly covered face. BeginNet picks one of three groups of expressions
(a path), the subnet of that path picks the expression.{_answering(manifest)}

- Labels, in order: {labels}.
- Covered: {_OCCLUSIONS[manifest.occlusion]}.
- Trained on {", ".join(manifest.trained_on)} with recipe {manifest.recipe}, images of
  {manifest.image_size} x {manifest.image_size} pixels, fer_tf {manifest.fer_tf}.
- Convolutions compute in {manifest.precision}{_form(manifest)}.
- {_warm_up(manifest)}

## Use

For research and demonstrations on frontal, upright faces. The client finds the face, cuts out its
square (forehead to chin) and sends it: as gray uint8 48 x 48 (`serving_default`, `all_paths`), or
as a JPEG or PNG file of any size (`serving_bytes`, `classify`); an EXIF rotation is not applied.

Not for judging what a person feels, nor for decisions about people: a posed or labelled expression
is not a feeling. In the European Union the AI Act (Regulation 2024/1689, Article 5 (1) (f))
prohibits systems that infer emotions of people at work and in education. Profiles, tilted heads
and other coverings were not trained. Accuracy for groups of people was not measured.

## Results

{_results(manifest)}

## Networks

{_networks(manifest.networks)}

## Rights in the data

{rights}

Whether and how a model trained on these pictures may be used is for their owners to say.
"""


def _answering(manifest):
    """The database for each occlusion, if the model recognises the occlusion."""
    pairs = [f"{kind} by {name}" for kind, name in (manifest.answering or {}).items()]
    return f" Each occlusion has networks of its own: {', '.join(pairs)}." if pairs else ""


def _warm_up(manifest):
    all_routes = routes(manifest.recognises_occlusion)
    missing = [route for route in all_routes if route not in manifest.warm_up_paths]
    if not missing:
        return "Warm-up requests cover every signature; every path was tried before."
    noun, verb = ("path", "was") if len(missing) == 1 else ("paths", "were")
    return (
        f"Warm-up requests cover every signature; {noun} {' and '.join(missing)}, which no drawn "
        f"face took, {verb} not tried."
    )


def accuracy_sentence(manifest: Manifest) -> str:
    """Returns a sentence with a version's accuracy on its test faces; "" if it was not measured."""
    if manifest.measured:
        shares = [
            f"{percent(row.path_selection.accuracy)} % {_COVERED[kind]}"
            for kind, row in manifest.measured.kinds.items()
        ]
        return f"Right on {', '.join(shares)} of its own test faces."
    for row in manifest.evaluation.results if manifest.evaluation else []:
        if row.name == COMBINED:
            return f"Right on {percent(row.accuracy)} % of its own test images."
    return ""


def named_with_accuracy(version: Path) -> str:
    """Returns a version's folder, followed by its `accuracy_sentence` if there is one."""
    sentence = accuracy_sentence(read_manifest(version))
    name = f"{version}"
    if is_pretrained(version):
        name = f"{version.parent.name}, version {version.name}, which comes with fer_tf"
    return f"{name}. {sentence}" if sentence else name


def _form(manifest):
    """The export options that are not `USUAL_OPTIONS`, apart from the precision."""
    parts = []
    if manifest.weights != "float32":
        parts.append(f", their weights are stored in {manifest.weights}")
    if manifest.mirrored:
        parts.append("; each answer is the mean of those for the face and for its mirror image")
    return "".join(parts)


def _measured(measured):
    """The scores of the whole model, with its known failures."""
    rows = []
    for kind, row in measured.kinds.items():
        selected = row.path_selection
        recall = [f"{100 * selected.recall.get(name, 0):.0f}" for name in EXPRESSIONS]
        cells = [
            accuracy_with_interval(selected),
            percent(selected.balanced_accuracy),
            accuracy_with_interval(row.joint_probability),
            percent(row.recognised),
        ]
        rows.append([_COVERED[kind].strip("()"), selected.images, *cells, *recall])
    head = ["faces", "images", "accuracy, %", "balanced", "`all_paths`", "recognised", *EXPRESSIONS]
    return (
        f"The model as a whole, which recognises the occlusion itself, on the {measured.split} "
        f"faces of {measured.data.partition('/')[2]}; the last columns are the shares of each "
        f"expression's faces that are answered rightly (commit {measured.provenance.commit}):\n\n"
        f"{markdown_table(head, rows)}\n\nKnown failures: {_failures(measured)}.\n\n"
    )


def _failures(measured):
    """The five expressions that are recognised least often."""
    shares = [
        (share, name, kind)
        for kind, row in measured.kinds.items()
        for name, share in row.path_selection.recall.items()
    ]
    worst = [
        f"{name}, {_COVERED[kind].strip('()')} ({100 * share:.0f} %)"
        for share, name, kind in sorted(shares)[:5]
    ]
    return "answered rightly least often are " + "; ".join(worst)


def _results(manifest):
    whole = _measured(manifest.measured) if manifest.measured else ""
    evaluation = manifest.evaluation
    if evaluation is None:
        return (
            whole or "Not evaluated: `python cli.py evaluate` had not measured these networks yet."
        )
    rows = [
        [
            row.name,
            row.images,
            accuracy_with_interval(row),
            percent(row.majority_baseline),
            percent(row.balanced_accuracy),
        ]
        for row in evaluation.results
    ]
    head = ["network", "images", "accuracy, %", "largest class alone", "balanced accuracy"]
    how = ""
    if manifest.answering:
        how = (
            " each database by itself, its occlusion known and eyes black where each face has "
            "them, so not of this model as a whole,"
        )
    return (
        f"{whole}The networks on the {evaluation.split} split,{how} with 95 % intervals:\n\n"
        f"{markdown_table(head, rows)}"
    )


def _networks(networks):
    rows = [
        [_title(name), entry.training_images, entry.seed, entry.best_epoch, entry.sha256]
        for name, entry in networks.items()
    ]
    return markdown_table(["network", "training images", "seed", "best epoch", "SHA-256"], rows)


def _title(name):
    """A network's title, after the name of its database if the model has several."""
    database, _, network = name.rpartition("/")
    return f"{database}: {title_of(network)}".removeprefix(": ")
