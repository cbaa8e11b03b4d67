"""What each network tells apart: the expression networks of `TASKS`, and OcclusionNet beside them.

OcclusionNet is no task of the paper: its classes are kinds of occlusion, not expressions.
"""

from fer_tf.expressions import TASKS
from fer_tf.occlusion.kinds import RECOGNISED

OCCLUSION_NET = "occlusion_net"
"""Name of OcclusionNet on the command line and on disk."""

COMBINED = "combined"
"""Title of path selection among the results of networks, as the SavedModel answers."""

NETWORKS = (*TASKS, OCCLUSION_NET)
"""Every network that can be trained."""


def classes_of(network: str) -> tuple[str, ...]:
    """A network's class names, in the order of its logits.

    Args:
        network: one of `NETWORKS`.
    """
    return RECOGNISED if network == OCCLUSION_NET else TASKS[network].classes


def title_of(network: str) -> str:
    """A network's name in the paper or like those; a name that is not known stays as it is."""
    if network == OCCLUSION_NET:
        return "OcclusionNet"
    return TASKS[network].title if network in TASKS else network
