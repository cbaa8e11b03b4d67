"""Pictures of faces and numbers, by matplotlib."""

from collections.abc import Sequence
from pathlib import Path

from fer_tf.expressions import EXPRESSIONS
from fer_tf.faces import Face
from fer_tf.occlusion import OCCLUSIONS, occlude


def plot_occlusions(faces: Sequence[Face], path: Path) -> None:
    """Draws faces, a column each, as they are and with each kind of occlusion (cf. Fig. 1).

    Args:
        faces: a few faces. A picture of real ones must not be passed on.
        path: where the PNG goes.
    """
    import matplotlib

    matplotlib.use("Agg")  # No display is needed, and none may be there.
    from matplotlib import pyplot as plt

    rows = {"uncovered": [face.image for face in faces]}
    rows |= {kind: [occlude(face.image, kind) for face in faces] for kind in OCCLUSIONS}
    size = (1.1 * len(faces) + 0.6, 1.15 * len(rows) + 0.2)
    figure, axes = plt.subplots(len(rows), len(faces), figsize=size, squeeze=False)
    for (kind, images), row in zip(rows.items(), axes, strict=True):
        row[0].set_ylabel(kind)
        for image, axis in zip(images, row, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="bicubic")
            axis.set(xticks=[], yticks=[])
    for face, axis in zip(faces, axes[0], strict=True):
        axis.set_title(EXPRESSIONS[face.expression], fontsize=10)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=100)
    plt.close(figure)
