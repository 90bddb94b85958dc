"""Which seeds may be asked for, and how many of them run at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.backend import Footprint
from geco.errors import ConfigError
from geco.memory import shown_size, size_of
from geco.photo.large_texture import BAKED
from geco.photo.thin import MOST_CUBES, STEP

MOST_SAMPLES = 1000  # of one picture; more is a slip of the keyboard, and a run of many minutes
BATCH = 8  # sets of views at a time: memory stays level however many there are
MOST_AT_ONCE = 64  # of a device on which more at a time cost less each, where a bound on memory allows them
# Bytes of the process from fields to the mesh, measured on the embedded model (64 to 4096 texels, 16 to 256
# cubes a side, 20,000 to 200,000 faces): what one texel and one cube take, and the rest, two
# thirds of it what the heap keeps after 64 meshes.
TEXEL, CUBE, REST = 64, 72, 96 << 20
# Of a texture larger than what is baked (up to 4096 texels: 12 each), with the picture at its own size.
LARGE_TEXEL = 16


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises ConfigError: none, more than :data:`MOST_SAMPLES`, or one that is no whole number
    from 0 to 2**32 - 1.
    """
    if not 1 <= len(seeds) <= MOST_SAMPLES:
        raise ConfigError(
            f"{len(seeds)} samples of a picture are out of range", f"Ask for 1 to {MOST_SAMPLES}."
        )
    for seed in seeds:
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ConfigError(
                f"the seed {seed!r} is out of range", "Choose whole numbers from 0 to 4294967295."
            )


def candidates(seeds: Sequence[int], best_of: int) -> list[int]:
    """The seeds that are drawn so that each of ``seeds`` becomes the best of ``best_of``: itself and those
    that follow it.

    Raises:
        ConfigError: as of :func:`check_seeds`, or two samples would share a seed.
    """
    check_seeds(seeds)
    drawn = [int(seed) + step for seed in seeds for step in range(best_of)]
    if drawn[-1] >= 2**32 or (best_of > 1 and len(set(drawn)) < len(drawn)):
        raise ConfigError(
            f"samples that are each the best of {best_of} seeds would share seeds, or leave their range",
            f"Space their seeds by {best_of}: 0, {best_of}, {2 * best_of} …, below 4294967296.",
        )
    return drawn


def bound_of(memory: str | int | None) -> int | None:
    """Bytes of "8GB" or of a number; None stays None. Raises ConfigError."""
    return size_of(str(memory)) if memory is not None else None


def finishing(texture_size: int, resolution: int) -> int:
    """Bytes that making a mesh of fields takes; ``texture_size`` is 0 for colours at the vertices."""
    large = LARGE_TEXEL * texture_size**2 if texture_size > BAKED else 0
    return TEXEL * min(texture_size, BAKED) ** 2 + large + CUBE * resolution**3 + REST


def finest_within(bound: int, texture_size: int, own: int) -> int:
    """Cubes a side that a surface may be refined to so that making it takes half of ``bound`` bytes at most;
    the model's ``own`` number at least. What is resident just now is not asked: the same picture and bound
    give the same mesh.
    """
    fits = [
        cubes for cubes in range(own, MOST_CUBES + 1, STEP) if finishing(texture_size, cubes) <= bound // 2
    ]
    return max(fits, default=own)


def at_once(footprint: Footprint, finishing: int, bound: int, most: int) -> int:
    """How many sets of views may be drawn together so that no more than ``bound`` bytes are taken, at most
    ``most``.

    Raises:
        ConfigError: not even one may.
    """
    one = footprint.of(1, finishing)
    if one > bound:
        work = shown_size(one - footprint.resting)
        raise ConfigError(
            f"{shown_size(bound)} of memory are too little: the loaded model takes "
            f"{shown_size(footprint.resting)} and one mesh {work} more",
            f"Allow {shown_size(one)} (--max-memory), or ask for a smaller texture or resolution.",
        )
    return max(sets for sets in range(1, most + 1) if footprint.of(sets, finishing) <= bound)
