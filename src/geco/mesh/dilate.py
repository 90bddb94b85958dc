"""Fill the empty texels of a texture from the nearest full ones, so that filtering and mip-maps
bleed nothing in.
"""

from __future__ import annotations

import numpy as np

from geco.types import Bools, Ints

_RINGS = 4  # own choice: rings of texels filled from the neighbour they touch; beyond them, from a pyramid


def nearest_full(full: Bools) -> Ints:
    """(H, W) flat number of a full texel for each: itself where full, else one near; none full: -1."""
    height, width = full.shape
    wide = width + 2  # a rim of empty texels all around, so that neighbours need no special cases
    sources = np.full((height + 2, wide), -1, np.int32)
    inner = sources[1:-1, 1:-1]
    inner[full] = np.flatnonzero(full)
    reached = np.zeros(sources.shape, bool)
    reached[1:-1, 1:-1] = full
    flat = sources.reshape(-1)
    for _ in range(_RINGS):
        grown = (
            reached[1:-1, 1:-1]
            | reached[:-2, 1:-1]
            | reached[2:, 1:-1]
            | reached[1:-1, :-2]
            | reached[1:-1, 2:]
        )
        ring = np.flatnonzero(grown & ~reached[1:-1, 1:-1])
        if not len(ring):
            break
        cells = ring + 2 * (ring // width) + wide + 1
        source = flat[cells - 1]
        # a ring texel has a reached neighbour on at least one of its four sides
        for step in (1, -wide, wide):
            source = np.where(source < 0, flat[cells + step], source)
        flat[cells] = source
        reached[1:-1, 1:-1] = grown
    return _from_pyramid(inner)


def _from_pyramid(sources: Ints) -> Ints:
    """Empty cells (-1) take what the smallest block around them holds, blocks doubling in size."""
    if not (sources < 0).any():
        return sources
    height, width = sources.shape
    even = np.full((height + height % 2, width + width % 2), -1, np.int32)
    even[:height, :width] = sources
    coarse = np.maximum(
        np.maximum(even[::2, ::2], even[1::2, ::2]), np.maximum(even[::2, 1::2], even[1::2, 1::2])
    )
    if coarse.size > 1 and sources.size > 1:
        coarse = _from_pyramid(coarse)
    for row in (0, 1):
        for column in (0, 1):
            part = even[row::2, column::2]
            np.copyto(part, coarse, where=part < 0)
    return even[:height, :width]
