import pytest

from fer_tf.errors import UserError
from fer_tf.models.backbone import BACKBONES
from fer_tf.training.recipe_changes import with_changes
from fer_tf.training.recipes import RECIPES, get_recipe, paper, quick, strong


def test_paper_is_section_4():
    recipe = paper()
    settings = {
        network: (s.batch_size, s.learning_rate, s.epochs)
        for network, s in recipe.schedules.items()
    }
    assert settings == {
        "begin": (64, 0.2, 100),
        "subnet_x": (128, 0.1, 100),
        "subnet_y": (128, 0.2, 300),
        "subnet_z": (128, 0.2, 100),
        "flat": (64, 0.2, 100),
    }
    assert (recipe.image_size, recipe.momentum, recipe.attention) == (224, 0.9, True)
    assert not (recipe.weight_decay or recipe.cosine_decay)
    assert not (recipe.nesterov or recipe.visible_rows or recipe.dropout or recipe.warmup_epochs)
    assert (recipe.backbone.blocks, recipe.backbone.groups) == ((3, 4, 6, 3), 32)
    assert [list(layer) for layer in recipe.record("begin").augmentation] == [["RandomFlip"]]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_recorded(name):
    recipe = get_recipe(name)
    assert recipe.name == name
    network = list(recipe.schedules)[-1]
    record = recipe.record(network)
    assert record.image_size == recipe.image_size
    assert record.schedule["epochs"] == recipe.schedules[network].epochs


def test_an_unknown_recipe_is_refused_with_the_known_names():
    with pytest.raises(UserError, match="'fast'.*paper, quick, from_scratch"):
        get_recipe("fast")


def test_a_recipe_with_another_network_or_without_attention_has_a_name_of_its_own():
    changed = with_changes(paper(), backbone="resnet18")
    assert changed.name == "paper-resnet18" and not changed.attention  # "without modification"
    assert changed.backbone == BACKBONES["resnet18"] and changed.schedules == paper().schedules
    plain = with_changes(quick(), attention=False)
    assert plain.name == "quick-no_attention" and not plain.attention
    assert with_changes(quick()) == quick()


def test_another_backbone_is_refused_where_networks_are_initialised_from_flat():
    with pytest.raises(UserError, match="recipe quick start from flat; give another --recipe"):
        with_changes(quick(), backbone="resnet18")


def test_the_network_that_others_are_initialised_from_has_no_origin():
    assert quick().record("begin").init_from == "flat"
    assert quick().record("flat").init_from is None


def test_an_unknown_network_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="'vgg'.*resnet18, resnet101"):
        with_changes(paper(), backbone="vgg")


def test_strong_trains_long_on_mixed_faces_and_briefly_on_each_database():
    recipe = strong()
    epochs = {name: recipe.on(name).schedules["flat"].epochs for name in ("mixed", "eye_cdb")}
    assert epochs["mixed"] > 5 * epochs["eye_cdb"]
    assert recipe.origin("mixed", "flat") is None
    assert recipe.origin("eye_cdb", "flat") == ("mixed", "flat")
    assert recipe.origin("eye_cdb", "begin") == ("eye_cdb", "flat")
    record = recipe.record("begin")
    assert (record.init_from, record.init_database, record.shared_stages) == (
        "flat",
        None,
        3,
    )
    record = recipe.record("flat")
    assert (record.init_from, record.init_database, record.shared_stages) == (
        None,
        "mixed",
        0,
    )
