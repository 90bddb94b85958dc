"""Which triangles can be seen at all: colliders, helpers and cut-away parts have alpha 0 and must
not be framed or drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.soup import SoupPart
from geco.types import Bools, Bytes, Longs

CELLS = 512  # a picture is looked at in at most so many cells a side


class CutoutTexture:
    """A picture with the alpha below which it has holes.

    Args:
        texture: (H, W, 4) uint8.
        cutoff: see :class:`geco.data.objects.TexturedObject`; 0: nothing is a hole.
    """

    def __init__(self, texture: Bytes, cutoff: float) -> None:
        self.need = cutoff * 255
        self._total: Longs | None = None
        if self.need > 0:
            alphas = texture[..., 3]
            self.most = float(alphas.max())
            opaque = alphas >= self.need
            if opaque.any() and not opaque.all():
                self._total = _summed(_pooled(opaque))

    def visible(self, part: SoupPart) -> Bools | None:
        """(F,) whether any texel of each triangle may reach the cutoff, or None where all may.

        Texels are taken from the triangle's box in texture coordinates, rounded outward: what is dropped is
        surely not seen.
        """
        if self.need <= 0:
            return None
        strongest = np.ones(1, np.float32) if part.alphas is None else part.alphas[part.faces].max(axis=1)
        seen = np.broadcast_to(strongest * self.most >= self.need, len(part.faces))
        if self._total is not None:
            seen = seen & _touches(self._total, part.uvs[part.faces])
        return None if seen.all() else seen


def _touches(total: Longs, uvs: NDArray[np.floating]) -> Bools:
    """(F,) whether the box of texture coordinates (F, 3, 2), one cell wider on each side, holds
    an opaque cell.
    """
    size = (np.array(total.shape[::-1]) - 3) // 2
    low, high = uvs.min(axis=1).astype(np.float64), uvs.max(axis=1).astype(np.float64)
    whole = ~np.isfinite(low + high).all(axis=1) | ((high - low) >= 1).any(axis=1)
    low, high = np.where(whole[:, None], 0, low), np.where(whole[:, None], 0, high)
    tile = np.floor(low)
    first = ((low - tile) * size).astype(np.int64)  # with the rim's shift: one cell before
    last = np.minimum(((high - tile) * size).astype(np.int64) + 3, 2 * size + 2)
    inside = total[last[:, 1], last[:, 0]] - total[first[:, 1], last[:, 0]]
    inside += total[first[:, 1], first[:, 0]] - total[last[:, 1], first[:, 0]]
    return whole | (inside > 0)


def _summed(cells: Bools) -> Longs:
    """(2 R + 3, 2 C + 3) how many True cells lie before each: pictures repeat, so two tiles, with
    a cell's rim.
    """
    around = np.pad(np.tile(cells, (2, 2)), 1, mode="wrap")
    total = np.zeros((around.shape[0] + 1, around.shape[1] + 1), np.int64)
    total[1:, 1:] = around.cumsum(axis=0).cumsum(axis=1)
    return total


def _pooled(opaque: Bools) -> Bools:
    """At most CELLS x CELLS; a cell is True where any of its texels is."""
    height, width = opaque.shape
    rows, columns = min(height, CELLS), min(width, CELLS)
    starts = [np.arange(count) * length // count for count, length in ((rows, height), (columns, width))]
    return np.logical_or.reduceat(np.logical_or.reduceat(opaque, starts[0], axis=0), starts[1], axis=1)
