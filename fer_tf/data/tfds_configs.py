"""The configs of the TFDS builders: which sources a database merges, and how it is split."""

import dataclasses
from collections.abc import Sequence

import tensorflow_datasets as tfds

from fer_tf.data.config_names import DRAWN, config_name
from fer_tf.data.sources import OFFICIAL_SOURCES
from fer_tf.errors import UserError


@dataclasses.dataclass(eq=False, kw_only=True)
class OccludedFacesConfig(tfds.core.BuilderConfig):
    """What a database is made of; `config_for` returns one.

    Attributes:
        sources: which sources are merged, in the order of `fer_tf.data.sources.OFFICIAL_SOURCES`.
        leak_free: whether the splits keep persons and near-identical images together.
        clean: whether blank images and images whose copies have other labels are dropped; the
            paper keeps them.
        seed: of the splits.
    """

    sources: tuple[str, ...]
    leak_free: bool
    clean: bool = False
    seed: int = 0


def config_for(
    sources: Sequence[str], leak_free: bool = False, clean: bool = False
) -> OccludedFacesConfig:
    """Choose or make the config of some sources.

    Args:
        sources: "drawn" alone, or one or more official sources in any order.
        leak_free: see `OccludedFacesConfig`. Drawn faces, whose persons are known, are always
            split so, and the config is called "drawn" either way.
        clean: see `OccludedFacesConfig`.

    Returns:
        The config in `LISTED_CONFIGS` of that name if there is one (TFDS refuses a second object
        of a name), else a new config.

    Raises:
        UserError: no source, an unknown one, or drawn faces among real ones.
    """
    config = _make_config(sources, leak_free, clean)
    listed = {listed_config.name: listed_config for listed_config in LISTED_CONFIGS}
    return listed.get(config.name, config)


def _make_config(
    sources: Sequence[str], leak_free: bool, clean: bool = False
) -> OccludedFacesConfig:
    ordered = tuple(source for source in OFFICIAL_SOURCES if source in sources)
    if set(sources) == {DRAWN}:
        ordered, leak_free = (DRAWN,), True
    elif not ordered or set(ordered) != set(sources):
        raise UserError(
            f"Sources {', '.join(sources) or '(none)'} received; choose one or more of "
            f"{', '.join(OFFICIAL_SOURCES)}, or {DRAWN} alone."
        )
    how = "by person and near duplicate" if leak_free else "image by image, as the paper does"
    without = ", without blank images and conflicting labels" if clean else ""
    return OccludedFacesConfig(
        name=config_name(ordered, leak_free, clean),
        sources=ordered,
        leak_free=leak_free,
        clean=clean,
        description=f"Faces of {', '.join(ordered)}{without}, split {how}.",
    )


LISTED_CONFIGS = [
    _make_config([DRAWN], leak_free=True),
    _make_config(["fer2013"], leak_free=False),
    _make_config(["fer2013"], leak_free=True),
    _make_config(OFFICIAL_SOURCES, leak_free=False),
    _make_config(OFFICIAL_SOURCES, leak_free=True),
]
"""The configs that TFDS lists; the first is its default."""
