"""Fill the empty texels of a texture from the nearest full ones, so that filtering and mip-maps
bleed nothing in.
"""

from __future__ import annotations

import numpy as np

from geco.types import Bools, Index, Ints

RINGS = 4  # own choice: rings of texels filled from the neighbour they touch; beyond them, from a pyramid


def nearest_full(full: Bools) -> Ints:
    """(H, W) flat number of a full texel for each: itself where full, else one near; none full: -1."""
    height, width = full.shape
    wide = width + 2  # a rim of empty texels all around, so that neighbours need no special cases
    sources = np.full((height + 2, wide), -2, np.int32)  # the rim is never filled
    inner = sources[1:-1, 1:-1]
    inner[:] = np.where(full, np.arange(full.size, dtype=np.int32).reshape(full.shape), np.int32(-1))
    flat = sources.reshape(-1)
    cells = _beside(full, wide)
    for _ in range(RINGS):
        if not len(cells):
            break
        source = flat.take(cells - 1)
        # a ring texel has a reached neighbour on at least one of its four sides
        for step in (1, -wide, wide):
            missing = np.flatnonzero(source < 0)
            source[missing] = flat.take(cells.take(missing) + step)
        flat[cells] = source
        cells = _next_ring(flat, cells, wide)
    return _from_pyramid(np.ascontiguousarray(inner))


def _beside(full: Bools, wide: int) -> Index:
    """The empty texels that touch a full one along a side, as numbers of the grid with a rim."""
    near = np.zeros_like(full)
    near[1:] |= full[:-1]
    near[:-1] |= full[1:]
    near[:, 1:] |= full[:, :-1]
    near[:, :-1] |= full[:, 1:]
    near &= ~full
    ring = np.flatnonzero(near)
    return ring + 2 * (ring // full.shape[1]) + wide + 1


def _next_ring(flat: Ints, cells: Index, wide: int) -> Index:
    """The empty texels (-1) that touch the ring just filled, each once."""
    beside = np.concatenate([cells - 1, cells + 1, cells - wide, cells + wide])
    beside = beside.take(np.flatnonzero(flat.take(beside) == -1))
    # What is written last at a texel stays: the one place that knows itself again.
    places = -3 - np.arange(len(beside), dtype=np.int32)
    flat[beside] = places
    beside = beside.take(np.flatnonzero(flat.take(beside) == places))
    flat[beside] = -1
    return beside


def _from_pyramid(sources: Ints) -> Ints:
    """Empty cells (-1) take what the smallest block around them holds, blocks doubling in size."""
    if not (sources < 0).any():
        return sources
    height, width = sources.shape
    even = sources
    if height % 2 or width % 2:
        even = np.full((height + height % 2, width + width % 2), -1, np.int32)
        even[:height, :width] = sources
    rows = np.maximum(even[::2], even[1::2])
    coarse = np.maximum(rows[:, ::2], rows[:, 1::2])
    if coarse.size > 1 and sources.size > 1:
        coarse = _from_pyramid(coarse)
    empty = np.flatnonzero(sources < 0)
    row, column = np.divmod(empty, width)
    sources.reshape(-1)[empty] = coarse.reshape(-1).take((row >> 1) * coarse.shape[1] + (column >> 1))
    return sources
