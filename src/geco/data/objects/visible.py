"""Which triangles can be seen at all: colliders, helpers and cut-away parts have alpha 0 and must not be framed or drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.soup import Part

CELLS = 512  # a picture is looked at in at most so many cells a side


def visible_faces(part: Part, texture: NDArray[np.uint8], cutoff: float) -> NDArray[np.bool_] | None:
    """(F,) whether any texel of each triangle may reach the cutoff, or None where all may.

    Texels are taken from the triangle's box in texture coordinates, rounded outward: what is dropped is surely not seen.
    """
    need = cutoff * 255
    if need <= 0:
        return None
    alphas = texture[..., 3]
    strongest = np.ones(1, np.float32) if part.alphas is None else part.alphas[part.faces].max(axis=1)
    seen = np.broadcast_to(strongest * float(alphas.max()) >= need, len(part.faces))
    opaque = alphas >= need
    if not opaque.all() and opaque.any():
        seen = seen & _touches(opaque, part.uvs[part.faces])
    return None if seen.all() else seen


def _touches(opaque: NDArray[np.bool_], uvs: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(F,) whether the box of texture coordinates (F, 3, 2), one cell wider on each side, holds a True texel."""
    cells = _pooled(opaque)
    rows, columns = cells.shape
    total = np.zeros((2 * rows + 3, 2 * columns + 3), np.int64)  # pictures repeat: two tiles, and the rim
    around = np.pad(np.tile(cells, (2, 2)), 1, mode="wrap")
    total[1:, 1:] = around.cumsum(axis=0).cumsum(axis=1)
    low, high = uvs.min(axis=1).astype(np.float64), uvs.max(axis=1).astype(np.float64)
    whole = ~np.isfinite(low + high).all(axis=1) | ((high - low) >= 1).any(axis=1)
    low, high = np.where(whole[:, None], 0, low), np.where(whole[:, None], 0, high)
    tile = np.floor(low)
    size = np.array([columns, rows])
    first = ((low - tile) * size).astype(np.int64)  # with the rim's shift: one cell before
    last = np.minimum(((high - tile) * size).astype(np.int64) + 3, 2 * size + 2)
    inside = total[last[:, 1], last[:, 0]] - total[first[:, 1], last[:, 0]]
    inside += total[first[:, 1], first[:, 0]] - total[last[:, 1], first[:, 0]]
    return whole | (inside > 0)


def _pooled(opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """At most CELLS x CELLS; a cell is True where any of its texels is."""
    height, width = opaque.shape
    rows, columns = min(height, CELLS), min(width, CELLS)
    starts = [np.arange(count) * length // count for count, length in ((rows, height), (columns, width))]
    return np.logical_or.reduceat(np.logical_or.reduceat(opaque, starts[0], axis=0), starts[1], axis=1)
