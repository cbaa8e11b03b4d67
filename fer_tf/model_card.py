"""The model card: what a version is, what it is for, and what it is not, for its users."""

from collections.abc import Sequence

from fer_tf.networks import title_of
from fer_tf.sources import OFFICIAL_SOURCES
from fer_tf.warmup import ways

_OCCLUSIONS = {
    "upper": "the upper half (rows 0 to 23 of 48); the model blackens it itself",
    "lower": "the lower half (rows 24 to 47 of 48); the model blackens it itself",
    "eyes": "the eyes; the client blackens them (`fer_tf.occlusion.occlude`), the model does not",
    "none": "nothing: for faces that are not covered, a reference",
    "any": "the upper half, the lower half, the eyes or nothing: OcclusionNet recognises which, "
    "the model blackens that half or where eyes usually are, its networks answer",
}

_RIGHTS = {
    "fer2013": "FER2013: pictures found by web search and published for a competition; they "
    "remain their owners'.",
    "jaffe": "JAFFE: given on request, for research that is not commercial.",
    "kdef": "KDEF: given on request, for research that is not commercial.",
    "raf_db": "RAF-DB: given on request, for research that is not commercial.",
    "drawn": "Drawn faces: made by this program. What a model learnt from them says nothing about "
    "real faces.",
}


def model_card(name: str, version: int, manifest: dict) -> str:
    """Writes the card of a version.

    Args:
        name: the model's name.
        version: its number.
        manifest: what `fer_tf.serving.combine` writes beside the graph.

    Returns:
        Markdown.
    """
    labels = ", ".join(f"{i} {label}" for i, label in enumerate(manifest["labels"]))
    rights = "\n".join(f"- {_RIGHTS[source]}" for source in sources_of(manifest["config"]))
    return f"""# {name}, version {version}

Names the expression of a partly covered face. BeginNet picks one of three groups of expressions
(a path), the subnet of that path picks the expression.{_answering(manifest)}

- Labels, in order: {labels}.
- Covered: {_OCCLUSIONS[manifest["occlusion"]]}.
- Trained on {trained_on(manifest)} with recipe {manifest["recipe"]}, images of
  {manifest["image_size"]} x {manifest["image_size"]} pixels, fer_tf {manifest["fer_tf"]}.
- Convolutions compute in {manifest["precision"]}.
- {_warm_up(manifest)}

## Use

For research and demonstrations on frontal, upright faces. The client finds the face, cuts out its
square (forehead to chin) and sends it: as gray uint8 48 x 48 (`serving_default`, `all_paths`), or
as a JPEG or PNG file of any size (`serving_bytes`, `classify`); an EXIF rotation is not applied.

Not for judging what a person feels, nor for decisions about people: a posed or labelled expression
is not a feeling. Profiles, tilted heads and other coverings were not trained. Accuracy for groups
of people was not measured.

## Results

{_results(manifest)}

## Networks

{_networks(manifest["networks"])}

## Rights in the data

{rights}

Whether and how a model trained on these pictures may be used is for their owners to say.
"""


def _answering(manifest):
    """Which networks answer for which occlusion, where the model recognises it."""
    pairs = [f"{kind} by {name}" for kind, name in manifest.get("answering", {}).items()]
    return f" Each occlusion has networks of its own: {', '.join(pairs)}." if pairs else ""


def _warm_up(manifest):
    there = ways(manifest["occlusion"] == "any")
    missing = [way for way in there if way not in manifest["warm_up_paths"]]
    if not missing:
        return "Warm-up requests cover every signature; every path was tried before."
    paths = f"{'path' if len(missing) == 1 else 'paths'} {' and '.join(missing)}"
    return (
        f"Warm-up requests cover every signature; {paths}, which no drawn face took, "
        f"{'was' if len(missing) == 1 else 'were'} not tried."
    )


def trained_on(manifest: dict) -> str:
    """The databases of a version: "concat_db/drawn", or several of one config."""
    if "answering" not in manifest:
        return f"{manifest['database']}/{manifest['config']}"
    names = dict.fromkeys(manifest["answering"].values())
    return ", ".join(f"{name}/{manifest['config']}" for name in names)


def sources_of(config: str) -> Sequence[str]:
    """The sources of a config by its name, e.g. "fer2013+kdef-leakfree"."""
    name = config.split("-")[0]
    return OFFICIAL_SOURCES if name == "paper" else name.split("+")


def _results(manifest):
    evaluation = manifest["evaluation"]
    if evaluation is None:
        return "Not evaluated: `python cli.py evaluate` had not measured these networks yet."
    rows = [
        [
            row["name"],
            row["images"],
            "{:.1f} ({:.1f} to {:.1f})".format(
                *(100 * value for value in (row["accuracy"], *row["accuracy_95"]))
            ),
            f"{100 * row['floor']:.1f}",
            f"{100 * row['balanced_accuracy']:.1f}",
        ]
        for row in evaluation["results"]
    ]
    head = ["network", "images", "accuracy, %", "largest class alone", "balanced accuracy"]
    how = ""
    if "answering" in manifest:
        how = (
            " each database by itself, its occlusion known and eyes black where each face has "
            "them, so not of this model as a whole,"
        )
    table = markdown_table(head, rows)
    return f"On the {evaluation['split']} split,{how} with 95 % intervals:\n\n{table}"


def _networks(networks):
    rows = [
        [_title(name), row["training_images"], row["seed"], row["best_epoch"], row["sha256"]]
        for name, row in networks.items()
    ]
    return markdown_table(["network", "training images", "seed", "best epoch", "SHA-256"], rows)


def _title(name):
    """A network's name in the paper, behind its database's where there are several."""
    database, _, network = name.rpartition("/")
    return f"{database}: {title_of(network)}".removeprefix(": ")


def markdown_table(head: Sequence, rows: Sequence[Sequence]) -> str:
    """A table in Markdown; cells are written as `str` does."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
