"""Several multi-networks behind a network that recognises how a face is covered."""

import keras
from keras import ops

from fer_tf.models.layers.path_selection import probabilities_of
from fer_tf.occlusion.kinds import OCCLUSIONS, RECOGNISED
from fer_tf.occlusion.occlude import visible_pixels


@keras.saving.register_keras_serializable(package="fer_tf")
class OcclusionSelection(keras.layers.Layer):
    """Lets OcclusionNet say how each face is covered and the multi-network for that answer.

    What is covered is blackened, as that multi-network was trained: a half, or for the eyes the
    boxes of `fer_tf.occlusion.eyes.USUAL_EYES`, since eyes that are hidden cannot be looked for.

    Args:
        occlusion_net: network that returns one logit per kind, in the order of `RECOGNISED`.
        selections: kind -> the `PathSelection`, or `PathAttention`, that answers for it, one for
            each of `OCCLUSIONS`; one for "none" answers for faces that are not covered. Without it
            they are answered like covered eyes, which leaves the most of them visible.

    Each network is evaluated for the images that need it. On backends other than TensorFlow, which
    cannot partition a batch, all are evaluated and the others' answers discarded; the outputs are
    the same.

    Input: uint8 [N, 48, 48, 1]; on TensorFlow N may be 0.

    Output: a dict of

    - "occlusion_probabilities": float32 [N, 4], the softmax of OcclusionNet.
    - the outputs of the `PathSelection` that answered.

    Raises:
        ValueError: if a selection is missing or unknown, or the number of logits does not fit.
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
        """For each of `RECOGNISED` the number of the selection that answers for it."""
        kinds = list(self.selections)
        return [kinds.index(kind if kind in kinds else "eyes") for kind in RECOGNISED]

    def build(self, input_shape):
        self.built = True  # The networks come built.

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return self._evaluate_all(inputs)
        import tensorflow as tf

        # See PathSelection: no network ever sees an empty batch.
        return tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: self._evaluate_selected(inputs),
            lambda: {
                name: tf.zeros([0, *shape[1:]])
                for name, shape in self.compute_output_shape(inputs.shape).items()
            },
        )

    def _recognise(self, images):
        """The softmax of OcclusionNet and the number of the selection for each image."""
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
        told = {"occlusion_probabilities": (input_shape[0], len(RECOGNISED))}
        return told | selection.compute_output_shape(input_shape)

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
    """Images uint8 [N, 48, 48, 1] with what a kind of `RECOGNISED` covers in black."""
    # As int32, because LiteRT cannot multiply uint8.
    visible = ops.convert_to_tensor(visible_pixels(kind).astype("int32"))
    return ops.cast(ops.cast(images, "int32") * visible, "uint8")
