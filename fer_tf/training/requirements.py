"""What a training needs before it begins: enough images, Keras' defaults, a GPU for float16."""

import keras

from fer_tf.errors import UserError
from fer_tf.training.run_folder import RunKey

_KERAS_SETTINGS = {"floatx": "float32", "image_data_format": "channels_last"}


def refuse_few_images(network: str, key: RunKey, split: str, count: int, replicas: int) -> None:
    """Refuses a split that is empty or cannot give each replica an image in each step.

    Args:
        network: a name in `fer_tf.models.networks.NETWORKS`.
        key: what the run is made of.
        split: "training" or "validation", for the message.
        count: images in the split.
        replicas: number of devices that share a batch.

    Raises:
        UserError: if there are too few.
    """
    if not count:
        raise UserError(
            f"{network} has no {split} image in {key.database}/{key.config}; build the database "
            "from sources that have its expressions."
        )
    size = key.recipe.schedules[network].batch_size
    smallest = count // -(-count // size)
    if smallest < replicas:
        raise UserError(
            f"{network} has {count} {split} images in batches of {size}: too few for {replicas} "
            "replicas, of which each needs an image in each step; take --strategy one or a larger "
            "--batch-size."
        )


def refuse_keras_settings() -> None:
    """Refuses settings of keras.json for which the networks are not made.

    Raises:
        UserError: naming the setting and how to change it.
    """
    for name, expected in _KERAS_SETTINGS.items():
        value = getattr(keras.config, name)()
        if value != expected:
            raise UserError(
                f"Keras is set to {name} {value}, {expected} is expected: change it in keras.json, "
                f"or call keras.config.set_{name} before."
            )


def refuse_float16_on_cpu(precision: str) -> None:
    """Refuses float16 where TensorFlow's grouped convolution has no gradient: on CPUs.

    Raises:
        UserError: if the precision is float16 and TensorFlow finds no GPU.
    """
    if precision == "float16" and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            raise UserError(
                "--mixed-precision float16 needs a GPU, and none is found; take bfloat16 or none."
            )
