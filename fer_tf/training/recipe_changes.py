"""Changes that a user makes to a recipe on the command line."""

from dataclasses import replace

from fer_tf.errors import UserError
from fer_tf.models.backbone import BACKBONES
from fer_tf.training.recipe import Recipe

NO_ATTENTION = "-no_attention"
"""Ends the name of a recipe whose attention is left out."""


def with_changes(
    recipe: Recipe,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    backbone: str | None = None,
    attention: bool = True,
) -> Recipe:
    """Returns a recipe with other settings for all its networks.

    Args:
        recipe: the recipe.
        batch_size: images per step; None for the recipe's.
        learning_rate: None for the recipe's.
        backbone: a name in `BACKBONES`, which is then trained without attention; None for the
            recipe's. The new recipe is named e.g. "paper-resnet18", so its runs have a folder of
            their own.
        attention: False removes the attention; the new recipe's name then ends with `NO_ATTENTION`.

    Raises:
        UserError: if a number is not positive, if no backbone has that name, or if the recipe has
            schedules only for networks that are initialised from another network.
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
