"""Names of configs, e.g. "fer2013+kdef-leakfree-clean": sources, kind of split, cleaning."""

from collections.abc import Sequence

from fer_tf.data.sources import OFFICIAL_SOURCES

DRAWN = "drawn"
"""The config, and the source, of faces that a program draws."""

PAPER = "paper"
"""The name of a config with all of `OFFICIAL_SOURCES`."""


def config_name(sources: Sequence[str], leak_free: bool, clean: bool) -> str:
    """The name of a config.

    Args:
        sources: `DRAWN` alone, or official sources in the order of `OFFICIAL_SOURCES`.
        leak_free: whether the splits are leak-free; those of drawn faces always are, without a
            suffix.
        clean: whether blank images and images with conflicting labels are dropped.
    """
    name = PAPER if tuple(sources) == OFFICIAL_SOURCES else "+".join(sources)
    if leak_free and name != DRAWN:
        name += "-leakfree"
    if clean:
        name += "-clean"
    return name


def sources_of(name: str) -> tuple[str, ...]:
    """The sources of a config by its name, e.g. ("fer2013", "kdef")."""
    sources, *_ = name.split("-")
    return OFFICIAL_SOURCES if sources == PAPER else tuple(sources.split("+"))
