"""Path selection: BeginNet and its subnets as one network (the paper's section 3.2)."""

import keras
from keras import ops

from fer_tf.expressions import EXPRESSIONS, PATHS, labels_of


@keras.saving.register_keras_serializable(package="fer_tf")
class PathSelection(keras.layers.Layer):
    """Picks a path for each image by BeginNet and the expression by the subnet of that path.

    Args:
        begin: network that returns one logit per path, in the order of `PATHS`.
        subnets: one network per path, each returning a logit per expression of its path.
        routed: True evaluates for each image only the subnet of its path (the paper). False
            evaluates all subnets and returns the joint distribution. On backends other than
            TensorFlow, which cannot partition a batch, the routed form evaluates all subnets and
            discards the other outputs; the result is the same.
        trunk: the layers that the networks share, see `fer_tf.models.shared_trunk`. The trunk is
            evaluated once, and the networks get its output. None: the networks get the images.
        mirrored: whether the probabilities are averaged with those of the mirror image, which
            doubles the cost.

    Input: uint8 [N, 48, 48, 1]; on TensorFlow N may be 0.

    Output: a dict of

    - "path_probabilities": float32 [N, 3], the softmax of BeginNet.
    - "probabilities": float32 [N, 7], P(path of j) * P(j given its path) in label order; in the
      routed form 0 for labels of the other paths.

    Raises:
        ValueError: if the number of networks or of logits does not match `PATHS`.
    """

    def __init__(self, begin, subnets, routed=True, trunk=None, mirrored=False, **kwargs):
        super().__init__(**kwargs)
        expected = [len(PATHS), *(len(names) for names in PATHS.values())]
        received = [network.output_shape[-1] for network in (begin, *subnets)]
        if received != expected:
            raise ValueError(
                "PathSelection needs BeginNet and one subnet per path with "
                f"{expected} logits, got {received}"
            )
        self.begin = begin
        self.subnets = list(subnets)
        self.routed = routed
        self.trunk = trunk
        self.mirrored = mirrored

    def build(self, input_shape):
        self.built = True  # The networks are built already.

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return self._evaluate_all(inputs)
        import tensorflow as tf

        # For an empty batch oneDNN's conv2d returns a wrong shape (TensorFlow 2.21), and the next
        # operation fails. So no network is called with an empty batch.
        evaluate = self._evaluate_selected if self.routed else self._evaluate_all
        path_probabilities, probabilities = tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: tuple(evaluate(inputs).values()),
            lambda: (tf.zeros([0, len(PATHS)]), tf.zeros([0, len(EXPRESSIONS)])),
        )
        return {"path_probabilities": path_probabilities, "probabilities": probabilities}

    def path_probabilities(self, images):
        """The softmax of BeginNet, float32 [N, 3]; N at least 1 on TensorFlow."""
        return _average(self.begin, self._views(images))

    def _views(self, images):
        """The inputs of the networks: images or features, and those of the mirror images."""
        views = [images, ops.flip(images, axis=2)] if self.mirrored else [images]
        return [self.trunk(view, training=False) for view in views] if self.trunk else views

    def _evaluate_all(self, images):
        views = self._views(images)
        path_probabilities = _average(self.begin, views)
        joint = [
            path_probabilities[:, i : i + 1] * _average(subnet, views)
            for i, subnet in enumerate(self.subnets)
        ]
        probabilities = ops.take(ops.concatenate(joint, axis=-1), _LABEL_ORDER, axis=-1)
        if self.routed:
            path = ops.argmax(path_probabilities, axis=-1)
            taken = ops.take(ops.convert_to_tensor(_ON_PATH, dtype="float32"), path, axis=0)
            probabilities = probabilities * taken
        return {"path_probabilities": path_probabilities, "probabilities": probabilities}

    def _evaluate_selected(self, images):
        import tensorflow as tf

        views = self._views(images)
        path_probabilities = _average(self.begin, views)
        path = tf.argmax(path_probabilities, axis=-1, output_type=tf.int32)
        count = len(self.subnets)
        positions = tf.dynamic_partition(tf.range(tf.shape(images)[0]), path, count)
        parts = [tf.dynamic_partition(view, path, count) for view in views]
        rows = []
        for i, (subnet, part) in enumerate(
            zip(self.subnets, zip(*parts, strict=True), strict=True)
        ):
            joint = tf.cond(
                tf.shape(part[0])[0] > 0,
                lambda subnet=subnet, part=part: _average(subnet, part),
                lambda width=subnet.output_shape[-1]: tf.zeros([0, width]),
            )
            joint *= tf.gather(path_probabilities[:, i : i + 1], positions[i])
            padding = [[0, 0], [_FIRST_COLUMN[i], _FIRST_COLUMN[-1] - _FIRST_COLUMN[i + 1]]]
            rows.append(tf.pad(joint, padding))
        probabilities = tf.gather(tf.dynamic_stitch(positions, rows), _LABEL_ORDER, axis=-1)
        return {"path_probabilities": path_probabilities, "probabilities": probabilities}

    def compute_output_shape(self, input_shape):
        return {
            "path_probabilities": (input_shape[0], len(PATHS)),
            "probabilities": (input_shape[0], len(EXPRESSIONS)),
        }

    def compute_output_spec(self, inputs):
        return {
            name: keras.KerasTensor(shape, dtype="float32")
            for name, shape in self.compute_output_shape(inputs.shape).items()
        }

    def get_config(self):
        return {
            **super().get_config(),
            "begin": keras.saving.serialize_keras_object(self.begin),
            "subnets": [keras.saving.serialize_keras_object(subnet) for subnet in self.subnets],
            "routed": self.routed,
            "trunk": self.trunk and keras.saving.serialize_keras_object(self.trunk),
            "mirrored": self.mirrored,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["begin"] = keras.saving.deserialize_keras_object(config["begin"])
        config["subnets"] = [keras.saving.deserialize_keras_object(s) for s in config["subnets"]]
        config["trunk"] = keras.saving.deserialize_keras_object(config["trunk"])
        return cls(**config)


# The concatenated outputs of the subnets, path after path: the label of each column, the first
# column of each path, and the order of columns that gives the label order.
_COLUMNS = [label for path in PATHS for label in labels_of(path)]
_FIRST_COLUMN = [sum(map(len, list(PATHS.values())[:i])) for i in range(len(PATHS) + 1)]
_LABEL_ORDER = [_COLUMNS.index(label) for label in range(len(EXPRESSIONS))]
_ON_PATH = [[float(i in labels_of(path)) for i in range(len(EXPRESSIONS))] for path in PATHS]


def _average(network, views):
    """The mean softmax of a network's logits for views of the same images."""
    probabilities = [probabilities_of(network, view) for view in views]
    return sum(probabilities[1:], start=probabilities[0]) / len(views)


def probabilities_of(network, images):
    """The softmax of a network's logits, float32 [N, classes]."""
    logits = network(images, training=False)
    return ops.softmax(ops.cast(logits, "float32"), axis=-1)
