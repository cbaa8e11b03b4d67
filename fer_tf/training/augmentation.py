"""The augmentations of the recipes: functions that return Keras layers."""


def flip() -> list:
    """Mirrors half of the images."""
    import keras

    return [keras.layers.RandomFlip("horizontal")]


def flips_and_shifts() -> list:
    """Mirrors and shifts images."""
    import keras

    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.06, 0.06, fill_mode="constant"),
    ]


def affine_and_light() -> list:
    """Mirrors, turns, zooms and shifts images; changes their brightness and contrast."""
    from fer_tf.models.layers.random_affine import RandomAffine
    from fer_tf.models.layers.random_light import RandomLight

    return [RandomAffine(rotation=10, zoom=0.1, shift=0.08), RandomLight(0.1, 0.25)]


def small_changes() -> list:
    """Mirrors, turns, shifts and zooms images with Keras' layers; changes their contrast."""
    import keras

    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.02, fill_mode="constant"),
        keras.layers.RandomTranslation(0.04, 0.08, fill_mode="constant"),
        keras.layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), fill_mode="constant"),
        keras.layers.RandomContrast(0.2, value_range=(0, 255)),
    ]
