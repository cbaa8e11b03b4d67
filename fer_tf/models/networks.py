"""Names, classes and titles of all networks: those of `TASKS`, and OcclusionNet.

OcclusionNet is not one of the paper's networks: its classes are kinds of occlusion.
"""

from fer_tf.expressions import TASKS
from fer_tf.occlusion.kinds import RECOGNISED

OCCLUSION_NET = "occlusion_net"
"""Name of OcclusionNet on the command line and on disk."""

COMBINED = "combined"
"""The title of path selection among the results of networks."""

NETWORKS = (*TASKS, OCCLUSION_NET)
"""Every network that can be trained."""


def classes_of(network: str) -> tuple[str, ...]:
    """Returns a network's class names, in the order of its logits.

    Args:
        network: one of `NETWORKS`.
    """
    return RECOGNISED if network == OCCLUSION_NET else TASKS[network].classes


def title_of(network: str) -> str:
    """Returns a network's title, as in the paper; an unknown name is returned unchanged."""
    if network == OCCLUSION_NET:
        return "OcclusionNet"
    return TASKS[network].title if network in TASKS else network
