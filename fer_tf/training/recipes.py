"""Training recipes.

A recipe is a function here that returns a `Recipe`; its docstring holds the command, what it
costs and what it reached. To try another, add a function and put it into `RECIPES`.
"""

from dataclasses import replace

from fer_tf.errors import UserError
from fer_tf.models.backbone import BACKBONES, Backbone
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.training.recipe import Distillation, Recipe, Schedule

RECOGNISER = "recogniser"
"""Name of the recipe of OcclusionNet."""

NO_ATTENTION = "-no_attention"
"""Ends the name of a recipe whose attention is left out."""


def _pooling(blocks, widths):
    """A network of plain 3x3 convolutions and poolings, which CPUs train fastest."""
    return Backbone(
        blocks,
        groups=1,
        widths=widths,
        expansion=1,
        bottleneck=False,
        stem_filters=widths[0] // 2,
        stem_kernel=3,
        stem_pool=False,
        pool_stages=True,
        batch_norm_momentum=0.99,
    )


def _schedules(begin, subnet_x, subnet_y, subnet_z, flat=None):
    return {
        "begin": begin,
        "subnet_x": subnet_x,
        "subnet_y": subnet_y,
        "subnet_z": subnet_z,
        "flat": flat or begin,
    }


def paper() -> Recipe:
    """Section 4 of the paper, to the letter.

    Command: `python cli.py train all --recipe paper`, for GPUs. 224x224, horizontal flips, SGD with
    momentum 0.9 and constant learning rates, batches of 64 (BeginNet) and 128 (subnets). What the
    paper leaves open: weight decay (none here), how weights begin (He normal, residual branches
    at zero). Cost and result: not measured.
    """
    return Recipe(
        name="paper",
        schedules=_schedules(
            begin=Schedule(epochs=100, batch_size=64, learning_rate=0.2),
            subnet_x=Schedule(epochs=100, batch_size=128, learning_rate=0.1),
            subnet_y=Schedule(epochs=300, batch_size=128, learning_rate=0.2),
            subnet_z=Schedule(epochs=100, batch_size=128, learning_rate=0.2),
        ),
        augmentation=_flip,
    )


def quick() -> Recipe:
    """Real training on two CPU cores; the default.

    Command: `python cli.py train all --database concat_db`. First a flat network, a ResNeXt of 0.25
    million weights at 48x48 that pools early, in small batches, with flips and small shifts; then
    BeginNet and the subnets start from its weights and need few epochs. So each subnet has
    features that all images taught, not its share of them alone.

    Cost, each on one core of a Xeon beside other work: 21 minutes for the five networks of
    concat_db/fer2013-leakfree or bconcat_db, 31 for eye_cdb, 34 for uncovered, whose rows are all
    visible. Result on the test splits, in this order: path selection 54.4, 43.9, 54.5, 58.4 %, the
    flat network 54.2, 44.0, 55.4, 60.4 % (results/quick/).
    """
    return replace(
        from_scratch(),
        name="quick",
        init_from="flat",
        schedules=_schedules(
            begin=Schedule(epochs=8, batch_size=32, learning_rate=0.05),
            subnet_x=Schedule(epochs=8, batch_size=32, learning_rate=0.05),
            subnet_y=Schedule(epochs=10, batch_size=32, learning_rate=0.05),
            subnet_z=Schedule(epochs=10, batch_size=32, learning_rate=0.05),
            flat=Schedule(epochs=25, batch_size=32, learning_rate=0.1),
        ),
        backbone=Backbone(
            (2, 2, 2), 8, 4, stem_filters=32, stem_kernel=3, batch_norm_momentum=0.99
        ),
        dropout=0.0,
        augmentation=_flips_and_shifts,
    )


def strong() -> Recipe:
    """The strongest networks that were trained on two CPU cores; the shipped model is made of them.

    Command: `make pretrained`, or the commands of docs/training.md. One flat network sees each face
    uncovered or covered in any of the three ways, drawn anew each time, and learns the labels and
    what `teacher` says of the uncovered face. The flat network of each database starts from it;
    BeginNet and the subnets share that network's trunk and read their classes off its logits.

    Cost in bfloat16 on one core of an AMD EPYC with AVX512_BF16, beside other work: 61 minutes for
    the flat network of all occlusions, then 6 to 11 for the five networks of a database. On the
    validation images (results/strong/) the flat network of all occlusions has 68.2 % uncovered,
    60.1 % with the upper and 53.3 % with the lower half covered; fine-tuning adds 1 point where a
    half is covered, mirroring 1 to 2 points. Linear heads of their own would lose 2 points from the
    flat network (results/strong/linear_heads_concat_db.json). Path selection on the test images,
    mirrored: 61.0 % upper half, 53.1 % lower half, 61.8 % eyes covered, 66.7 % uncovered.
    """
    return replace(
        teacher(),
        name="strong",
        backbone=_pooling(blocks=(1, 2, 1), widths=(64, 128, 192)),
        init_from="flat",
        init_database="mixed",
        init_schedule=Schedule(epochs=50, batch_size=64, learning_rate=3e-3),
        shared_stages=3,
        expression_logits=True,
        distillation=Distillation(temperature=3.0),
        covers_anew=True,
        usual_eyes=0.5,
        dropout=0.2,
        schedules=_schedules(
            begin=Schedule(epochs=1, batch_size=64, learning_rate=1e-4),
            subnet_x=Schedule(epochs=1, batch_size=64, learning_rate=1e-4),
            subnet_y=Schedule(epochs=1, batch_size=64, learning_rate=1e-4),
            subnet_z=Schedule(epochs=1, batch_size=64, learning_rate=1e-4),
            flat=Schedule(epochs=5, batch_size=64, learning_rate=1e-3),
        ),
    )


def teacher() -> Recipe:
    """The flat network of uncovered faces from which the networks of `strong` learn.

    Command: `python cli.py train flat --database uncovered --recipe teacher --mixed-precision
    bfloat16`. Cost: 51 minutes on one core of an AMD EPYC. Result on the validation images of
    uncovered/fer2013-leakfree: 67.2 %, averaged with the mirror image 69.4 %
    (results/strong/gains_uncovered.json). It overfits, its validation loss rises from epoch 22 on.
    """
    return Recipe(
        name="teacher",
        schedules={"flat": Schedule(epochs=60, batch_size=64, learning_rate=3e-3)},
        backbone=_pooling(blocks=(1, 1, 1), widths=(64, 128, 256)),
        image_size=48,
        dropout=0.3,
        optimizer="adamw",
        weight_decay=0.05,
        warmup_epochs=1,
        cosine_decay=True,
        keeps="last",
        augmentation=_affine_and_light,
    )


def from_scratch() -> Recipe:
    """Each network trained alone, as in the paper, at a size for two CPU cores.

    Command: `python cli.py train all --database concat_db --recipe from_scratch`. A ResNeXt of 0.9
    million weights on the visible rows at 48x48, warm-up, cosine decay, flips, small rotations,
    shifts, zooms and changes of light; SubnetZ's loss is balanced, without which it names Surprise
    always.

    Cost: 64 minutes for the four networks of concat_db/fer2013-leakfree beside other work, 22 more
    for the flat one. Result on its test split: path selection 44.1 %, flat 48.8 %
    (results/from_scratch/); on the plain split 45.6 %
    (results/from_scratch_concat_db_fer2013.json).
    """
    return Recipe(
        name="from_scratch",
        schedules=_schedules(
            begin=Schedule(epochs=12, batch_size=64, learning_rate=0.1),
            subnet_x=Schedule(epochs=12, batch_size=64, learning_rate=0.1),
            subnet_y=Schedule(epochs=16, batch_size=64, learning_rate=0.05),
            subnet_z=Schedule(epochs=20, batch_size=64, learning_rate=0.05, balanced=True),
        ),
        backbone=Backbone((2, 2, 2), 16, 4, stem_filters=32, stem_kernel=3, stem_pool=False),
        image_size=48,
        visible_rows=True,
        dropout=0.2,
        nesterov=True,
        weight_decay=5e-4,
        warmup_epochs=1,
        cosine_decay=True,
        augmentation=_small_changes,
        usual_eyes=0.5,
    )


def demo() -> Recipe:
    """Minutes on drawn faces, for a first look at the whole chain.

    Command: `make demo`. A ResNeXt of 0.14 million weights at 48x48 that pools early.
    Cost: 8 minutes for the whole chain and all three databases; every network is above its floor
    (results/demo.json).

    On real faces, fer2013-leakfree, 12 to 15 minutes for the five networks of a database beside
    other work; path selection on the test splits of ConcatDB 46.3 %, BConcatDB 36.0 %, eyeCDB
    47.3 %, on faces without occlusion 49.2 % (results/demo_fer2013/).
    """
    return Recipe(
        name="demo",
        schedules=_schedules(
            begin=Schedule(epochs=7, batch_size=32, learning_rate=0.1),
            subnet_x=Schedule(epochs=7, batch_size=32, learning_rate=0.1),
            subnet_y=Schedule(epochs=8, batch_size=32, learning_rate=0.1),
            subnet_z=Schedule(epochs=6, batch_size=32, learning_rate=0.1),
        ),
        backbone=Backbone((1, 1, 1), 8, 4, stem_filters=16, stem_kernel=3),
        image_size=48,
        nesterov=True,
        weight_decay=5e-4,
        warmup_epochs=0.5,
        cosine_decay=True,
        augmentation=_flip,
        usual_eyes=0.5,
    )


def recogniser() -> Recipe:
    """OcclusionNet, which recognises how a face is covered; no other network.

    Command: `python cli.py train occlusion_net --mixed-precision bfloat16`. Its training faces
    carry drawn occluders. No attention.

    Cost: 16 minutes on one core of an AMD EPYC beside other work, and the drawing before it.
    Result on its test faces: of the drawings as in training it recognises none 96.3 %, upper
    97.5 %, lower 98.4 %, eyes 96.2 %; of drawings that it did not learn from 92 to 99 %
    (results/occlusion_recognition.json).
    """
    return Recipe(
        name=RECOGNISER,
        schedules={OCCLUSION_NET: Schedule(epochs=12, batch_size=64, learning_rate=3e-3)},
        backbone=_pooling(blocks=(1, 1, 1), widths=(16, 32, 64)),
        image_size=48,
        attention=False,
        optimizer="adamw",
        weight_decay=0.05,
        warmup_epochs=0.5,
        cosine_decay=True,
        augmentation=_affine_and_light,
    )


RECIPES = {
    "paper": paper,
    "quick": quick,
    "from_scratch": from_scratch,
    "demo": demo,
    "strong": strong,
    "teacher": teacher,
    RECOGNISER: recogniser,
}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UserError: if there is none.
    """
    if name not in RECIPES:
        raise UserError(f"No recipe is named {name!r}; choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]()


def with_changes(
    recipe: Recipe,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    backbone: str | None = None,
    attention: bool = True,
) -> Recipe:
    """The recipe with something else for all its networks.

    Args:
        recipe: as it is.
        batch_size: images per step; None leaves the recipe's.
        learning_rate: likewise.
        backbone: a name in `BACKBONES`, as it is, without attention; None leaves the recipe's
            ResNeXt. The recipe is then called e.g. "paper-resnet18", so that its runs stand beside
            the others.
        attention: False leaves the attention out, and the recipe is called "...-no_attention".

    Raises:
        UserError: if a number is not positive, no backbone has that name, or the recipe's
            networks start from another and so have no schedule for one from nothing.
    """
    if backbone is not None:
        if backbone not in BACKBONES:
            raise UserError(
                f"No network is named {backbone!r}; choose one of {', '.join(BACKBONES)}, or none "
                "for the recipe's ResNeXt."
            )
        if recipe.init_from:
            raise UserError(
                f"--network trains from nothing, the networks of recipe {recipe.name} start from "
                f"{recipe.init_from}; give another --recipe, e.g. from_scratch or paper."
            )
        name = f"{recipe.name}-{backbone}"
        recipe = replace(recipe, name=name, backbone=BACKBONES[backbone], attention=False)
    if recipe.attention and not attention:
        recipe = replace(recipe, name=f"{recipe.name}{NO_ATTENTION}", attention=False)
    changes = {"batch_size": batch_size, "learning_rate": learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if not value > 0:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is {value}; a number above 0 is expected.")
    schedules = {name: replace(each, **changes) for name, each in recipe.schedules.items()}
    return replace(recipe, schedules=schedules)


def _flip():
    import keras

    return [keras.layers.RandomFlip("horizontal")]


def _flips_and_shifts():
    import keras

    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.06, 0.06, fill_mode="constant"),
    ]


def _affine_and_light():
    from fer_tf.models.layers.random_affine import RandomAffine
    from fer_tf.models.layers.random_light import RandomLight

    return [RandomAffine(rotation=10, zoom=0.1, shift=0.08), RandomLight(0.1, 0.25)]


def _small_changes():
    import keras

    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.02, fill_mode="constant"),
        keras.layers.RandomTranslation(0.04, 0.08, fill_mode="constant"),
        keras.layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), fill_mode="constant"),
        keras.layers.RandomContrast(0.2, value_range=(0, 255)),
    ]
