"""The network of a run: built, initialised from another one, and augmented while it is trained."""

from fer_tf.expressions import EXPRESSIONS, MULTI_NETWORK, TASKS
from fer_tf.models.networks import classes_of
from fer_tf.occlusion.kinds import RECOGNISED, visible_rows
from fer_tf.training.recipe import Recipe
from fer_tf.training.run_folder import RunKey


def build_network(network: str, recipe: Recipe, occlusion: str):
    """Builds a new network.

    Args:
        network: a name in `fer_tf.models.networks.NETWORKS`.
        recipe: the hyperparameters.
        occlusion: "upper", "lower", "eyes", "none" or "mixed"; it decides the visible rows.

    Returns:
        A Keras model, uint8 [B, 48, 48, 1] in, logits float32 [B, classes] out.
    """
    import keras

    from fer_tf.models.expression_net import expression_net
    from fer_tf.models.layers.class_logits import ClassLogits

    has_expression_logits = recipe.expression_logits and network in MULTI_NETWORK
    net = expression_net(
        classes=len(EXPRESSIONS if has_expression_logits else classes_of(network)),
        image_size=recipe.image_size,
        backbone=recipe.backbone,
        attention=recipe.attention,
        rows=visible_rows(occlusion if recipe.visible_rows else "eyes"),
        dropout=recipe.dropout,
        name=network,
    )
    if not has_expression_logits:
        return net
    class_logits = ClassLogits(TASKS[network].expressions, dtype="float32", name="class_logits")
    return keras.Model(net.input, class_logits(net.output), name=network)


def begin_from(net, origin) -> None:
    """Copies the weights of another network, but not those of a last layer with other classes."""
    from fer_tf.models.expression_net import LOGITS

    same_classes = net.get_layer(LOGITS).output.shape == origin.get_layer(LOGITS).output.shape
    for layer in net.layers:
        if layer.weights and (layer.name != LOGITS or same_classes):
            layer.set_weights(origin.get_layer(layer.name).get_weights())


def freeze_stages(net, count: int) -> None:
    """Excludes the first stages of a network's backbone, and what precedes them, from training."""
    if not count:
        return
    for layer in net.layers:
        if layer.name.startswith((f"stage_{count + 1}_", "pool")):
            return
        layer.trainable = False


def augmentation_of(key: RunKey) -> list:
    """Returns the Keras layers that precede a network while it is trained."""
    from fer_tf.models.layers.random_occlusion import RandomOcclusion
    from fer_tf.models.layers.random_usual_eyes import RandomUsualEyes

    layers = key.recipe.augmentation()
    if key.recipe.covers_anew:
        kinds = RECOGNISED if key.occlusion == "mixed" else (key.occlusion,)
        return [*layers, RandomOcclusion(kinds, key.recipe.usual_eyes)]
    if key.occlusion == "eyes" and key.recipe.usual_eyes:
        # The first layer, so that the layers that move the face also move the boxes.
        layers.insert(0, RandomUsualEyes(key.recipe.usual_eyes))
    return layers
