"""Selection among several multi-networks by a network that recognises the occlusion."""

import keras
from keras import ops

from fer_tf.models.layers.path_selection import probabilities_of
from fer_tf.occlusion.kinds import OCCLUSIONS, RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels


@keras.saving.register_keras_serializable(package="fer_tf")
class OcclusionSelection(keras.layers.Layer):
    """Recognises the occlusion of each face by OcclusionNet and calls the selection for that kind.

    Before, it blackens what the selection's networks were trained without: a half, or for the eyes
    the boxes of `fer_tf.occlusion.eyes.USUAL_EYES`, because hidden eyes cannot be located.

    Args:
        occlusion_net: network that returns one logit per kind, in the order of `RECOGNISED`.
        selections: kind -> a `PathSelection` or `PathAttention`, for each of `OCCLUSIONS` and
            optionally for "none". Without "none", uncovered faces are treated as faces with covered
            eyes, which leaves more of the face visible than a covered half.

    Each selection is evaluated only for the images of its kind. On backends other than TensorFlow,
    which cannot partition a batch, all selections are evaluated and the other outputs discarded;
    the result is the same.

    Input: uint8 [N, 48, 48, 1]; on TensorFlow N may be 0.

    Output: a dict of

    - "occlusion_probabilities": float32 [N, 4], the softmax of OcclusionNet.
    - the outputs of the selection.

    Raises:
        ValueError: if a selection is missing or unknown, or the number of logits does not match.
    """

    def __init__(self, occlusion_net, selections, **kwargs):
        super().__init__(**kwargs)
        kinds = set(selections)
        if occlusion_net.output_shape[-1] != len(RECOGNISED) or kinds | {"none"} != {*RECOGNISED}:
            raise ValueError(
                f"OcclusionSelection needs a network with {len(RECOGNISED)} logits and selections "
                f"for {OCCLUSIONS}, got {occlusion_net.output_shape[-1]} and {sorted(kinds)}"
            )
        self.occlusion_net = occlusion_net
        self.selections = {kind: selections[kind] for kind in RECOGNISED if kind in selections}

    @property
    def branch_of(self) -> list[int]:
        """For each of `RECOGNISED` the index of its selection."""
        kinds = list(self.selections)
        return [kinds.index(kind if kind in kinds else "eyes") for kind in RECOGNISED]

    def build(self, input_shape):
        self.built = True  # The networks are built already.

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return self._evaluate_all(inputs)
        import tensorflow as tf

        # No network is called with an empty batch: see PathSelection.
        return tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: self._evaluate_selected(inputs),
            lambda: {
                name: tf.zeros([0, *shape[1:]])
                for name, shape in self.compute_output_shape(inputs.shape).items()
            },
        )

    def _recognise(self, images):
        """The softmax of OcclusionNet and the index of the selection for each image."""
        probabilities = probabilities_of(self.occlusion_net, images)
        kind = ops.argmax(probabilities, axis=-1)
        return probabilities, ops.take(ops.convert_to_tensor(self.branch_of, "int32"), kind)

    def _evaluate_all(self, images):
        probabilities, branch = self._recognise(images)
        outputs = {"occlusion_probabilities": probabilities}
        for number, (kind, selection) in enumerate(self.selections.items()):
            chosen = ops.cast(branch == number, "float32")[:, None]
            for name, values in selection(blackened(images, kind)).items():
                outputs[name] = outputs.get(name, 0) + chosen * values
        return outputs

    def _evaluate_selected(self, images):
        import tensorflow as tf

        probabilities, branch = self._recognise(images)
        count = len(self.selections)
        positions = tf.dynamic_partition(tf.range(tf.shape(images)[0]), branch, count)
        parts = tf.dynamic_partition(images, branch, count)
        answers = [
            selection(blackened(part, kind))
            for (kind, selection), part in zip(self.selections.items(), parts, strict=True)
        ]
        return {"occlusion_probabilities": probabilities} | {
            name: tf.dynamic_stitch(positions, [answer[name] for answer in answers])
            for name in answers[0]
        }

    def compute_output_shape(self, input_shape):
        selection = next(iter(self.selections.values()))
        shapes = {"occlusion_probabilities": (input_shape[0], len(RECOGNISED))}
        return shapes | selection.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs):
        return {
            name: keras.KerasTensor(shape, dtype="float32")
            for name, shape in self.compute_output_shape(inputs.shape).items()
        }

    def get_config(self):
        selections = {
            kind: keras.saving.serialize_keras_object(selection)
            for kind, selection in self.selections.items()
        }
        net = keras.saving.serialize_keras_object(self.occlusion_net)
        return {**super().get_config(), "occlusion_net": net, "selections": selections}

    @classmethod
    def from_config(cls, config):
        load = keras.saving.deserialize_keras_object
        config = dict(config)
        config["occlusion_net"] = load(config["occlusion_net"])
        config["selections"] = {kind: load(each) for kind, each in config["selections"].items()}
        return cls(**config)


def blackened(images, kind: str):
    """Blackens what a kind of `RECOGNISED` covers in images uint8 [N, 48, 48, 1]."""
    # As int32, because LiteRT cannot multiply uint8.
    visible = ops.convert_to_tensor(visible_pixels(kind).astype("int32"))
    return ops.cast(ops.cast(images, "int32") * visible, "uint8")
