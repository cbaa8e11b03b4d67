"""Training recipes.

A recipe is a function that returns a `Recipe`. Its docstring gives the command, the cost and the
measured result. To add a recipe, write such a function and enter it into `RECIPES`.
"""

from dataclasses import replace

from fer_tf.errors import UserError
from fer_tf.models.backbone import Backbone, pooling_backbone
from fer_tf.models.networks import OCCLUSION_NET
from fer_tf.training.augmentation import affine_and_light, flip, flips_and_shifts, small_changes
from fer_tf.training.recipe import Distillation, Recipe, Schedule

RECOGNISER = "recogniser"
"""The name of OcclusionNet's recipe."""


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

    It trains on 224x224 pixels with horizontal flips and SGD (momentum 0.9, constant learning
    rates) in batches of 64 (BeginNet) and 128 (subnets). The paper does not report weight decay
    (none here) or initial weights (here He normal, with residual branches at zero).

    Command: `python cli.py train all --recipe paper`, for GPUs.
    Cost: not measured.
    Result: not measured.
    """
    return Recipe(
        name="paper",
        schedules=_schedules(
            begin=Schedule(epochs=100, batch_size=64, learning_rate=0.2),
            subnet_x=Schedule(epochs=100, batch_size=128, learning_rate=0.1),
            subnet_y=Schedule(epochs=300, batch_size=128, learning_rate=0.2),
            subnet_z=Schedule(epochs=100, batch_size=128, learning_rate=0.2),
        ),
        augmentation=flip,
    )


def quick() -> Recipe:
    """Real training on two CPU cores; the default.

    A flat network is trained first: a ResNeXt of 0.25 million weights at 48x48 that pools early,
    in small batches, with flips and small shifts. BeginNet and the subnets are initialised from
    its weights and need few epochs. So the features of each subnet come from all images, not only
    from the images of its own expressions.

    Command: `python cli.py train all --database concat_db`.
    Cost: for the five networks of a database, on one core of a Xeon beside other work, 21 minutes
    (concat_db/fer2013-leakfree or bconcat_db), 31 (eye_cdb) or 34 (uncovered).
    Result on the test splits: path selection 54.4 % (concat_db), 43.9 % (bconcat_db), 54.5 %
    (eye_cdb) and 58.4 % (uncovered); the flat network 54.2, 44.0, 55.4 and 60.4 %
    (results/quick/).
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
        augmentation=flips_and_shifts,
    )


def strong() -> Recipe:
    """The most accurate networks trained on two CPU cores; the shipped model consists of them.

    The database "mixed" has one flat network. In each epoch it sees each face, at random, uncovered
    or covered in one of the three ways, and it learns the labels and the predictions of `teacher`
    for the uncovered face. The flat networks of the other databases are initialised from this
    network. BeginNet and the subnets share the trunk of their database's flat network, have its
    last layer with seven logits and compute the logits of their classes from these.

    Command: `make pretrained`, or the commands of docs/training.md.
    Cost in bfloat16 on one core of an AMD EPYC with AVX512_BF16, beside other work: 61 minutes for
    the flat network of "mixed", then 6 to 11 for the five networks of a database.
    Result on the validation images (results/strong/): the flat network of "mixed" reaches 68.2 %
    on uncovered faces, 60.1 % with the upper and 53.3 % with the lower half covered. Fine-tuning
    adds 1 point where a half is covered; averaging with the mirror image adds 1 to 2 points. With
    a linear head for each network in place of the shared logits, path selection would be 2 points
    less accurate than the flat network (results/strong/linear_heads_concat_db.json).
    Result of path selection on the test images, averaged with the mirror image: 61.1 % (upper half
    covered), 53.1 % (lower half), 61.8 % (eyes) and 66.7 % (uncovered).
    """
    return replace(
        teacher(),
        name="strong",
        backbone=pooling_backbone(blocks=(1, 2, 1), widths=(64, 128, 192)),
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
    """The flat network of uncovered faces whose predictions the networks of `strong` learn.

    Command: `python cli.py train flat --database uncovered --recipe teacher --mixed-precision
    bfloat16`.
    Cost: 51 minutes on one core of an AMD EPYC.
    Result on the validation images of uncovered/fer2013-leakfree: 67.2 %, averaged with the mirror
    image 69.4 % (results/strong/gains_uncovered.json). The network overfits: its validation loss
    rises from epoch 22 on.
    """
    return Recipe(
        name="teacher",
        schedules={"flat": Schedule(epochs=60, batch_size=64, learning_rate=3e-3)},
        backbone=pooling_backbone(blocks=(1, 1, 1), widths=(64, 128, 256)),
        image_size=48,
        dropout=0.3,
        optimizer="adamw",
        weight_decay=0.05,
        warmup_epochs=1,
        cosine_decay=True,
        keeps="last",
        augmentation=affine_and_light,
    )


def from_scratch() -> Recipe:
    """Each network trained alone, as in the paper, at a size for two CPU cores.

    A ResNeXt of 0.9 million weights on the visible rows at 48x48, with warm-up, cosine decay, flips
    and small rotations, shifts, zooms and changes of contrast. The loss of SubnetZ is balanced;
    without the balance SubnetZ predicts Surprise for every image.

    Command: `python cli.py train all --database concat_db --recipe from_scratch`.
    Cost: 64 minutes for the four networks of concat_db/fer2013-leakfree beside other work, and 22
    for the flat network.
    Result on the test split: path selection 44.1 %, flat 48.8 % (results/from_scratch/). On the
    test split of concat_db/fer2013: path selection 45.6 %
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
        augmentation=small_changes,
        usual_eyes=0.5,
    )


def demo() -> Recipe:
    """A first look at all steps, in minutes, on drawn faces.

    A ResNeXt of 0.14 million weights at 48x48 that pools early.

    Command: `make demo`.
    Cost: 8 minutes for all steps and all three databases. On real faces (fer2013-leakfree), 12 to
    15 minutes for the five networks of a database beside other work.
    Result on drawn faces: every network is more accurate than its majority-class baseline
    (results/demo.json). Path selection on the test splits of real faces: 46.3 % (ConcatDB), 36.0 %
    (BConcatDB), 47.3 % (eyeCDB) and 49.2 % (uncovered) (results/demo_fer2013/).
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
        augmentation=flip,
        usual_eyes=0.5,
    )


def recogniser() -> Recipe:
    """OcclusionNet, which recognises how a face is covered, and no other network.

    It has no attention. Occluders are drawn onto its training faces before training begins.

    Command: `python cli.py train occlusion_net --mixed-precision bfloat16`.
    Cost: 16 minutes of training on one core of an AMD EPYC beside other work; drawing the occluders
    comes on top.
    Result on its test faces, with occluders drawn as in training: it recognises 96.3 % of the
    uncovered faces, 97.5 % of the covered upper halves, 98.4 % of the covered lower halves and
    96.2 % of the covered eyes. Of occluders that are not in the training set it recognises 92 to
    99 % (results/occlusion_recognition.json).
    """
    return Recipe(
        name=RECOGNISER,
        schedules={OCCLUSION_NET: Schedule(epochs=12, batch_size=64, learning_rate=3e-3)},
        backbone=pooling_backbone(blocks=(1, 1, 1), widths=(16, 32, 64)),
        image_size=48,
        attention=False,
        optimizer="adamw",
        weight_decay=0.05,
        warmup_epochs=0.5,
        cosine_decay=True,
        augmentation=affine_and_light,
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
    """Returns the recipe of a name.

    Raises:
        UserError: if no recipe has that name.
    """
    if name not in RECIPES:
        raise UserError(f"No recipe is named {name!r}; choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]()
