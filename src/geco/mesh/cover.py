"""Which pixel centres triangles cover: triangles become rows, rows become runs of pixels, all at once.

The ends of a run are computed from the edge alone, in the same way for both triangles that share it, so
neighbours cover every centre exactly once: no holes, no doubles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import chosen, expand
from geco.types import Doubles, Index


@dataclass
class Runs:
    """Pixels side by side: ``length`` of them in ``row`` from column ``start`` on, all of one ``face``."""

    face: Index
    row: Index
    start: Index
    length: Index


def covered_runs(x: list[Doubles], y: list[Doubles], size: int) -> Runs:
    """The runs of pixels whose centres lie in triangles, row after row of each, triangle after triangle.

    Args:
        x, y: of the first, second and third corners, (F,) each; whole numbers at the centres.
        size: pixels a side.
    """
    top, middle, bottom = _top_to_bottom(x, y)
    first, split, past = (
        np.clip(np.ceil(corner[1]), 0, size).astype(np.intp) for corner in (top, middle, bottom)
    )
    face, place = expand(past - first)
    row = first.take(face) + place
    along = row.astype(np.float64)
    long = _crossing(top, bottom, face, along)
    # The short side is the upper edge as far as the middle corner, then the lower one.
    upper, lower = (np.concatenate(ends, axis=1) for ends in ((top, middle), (middle, bottom)))
    edge = face + (row >= split.take(face)) * split.size
    short = _crossing(upper, lower, edge, along)
    start = np.clip(np.ceil(np.minimum(long, short)), 0, size).astype(np.intp)
    length = np.clip(np.ceil(np.maximum(long, short)), 0, size).astype(np.intp) - start
    kept = np.flatnonzero(length > 0)
    return Runs(*(each.take(kept) for each in (face, row, start, length)))


def _top_to_bottom(x: list[Doubles], y: list[Doubles]) -> list[Doubles]:
    """Corners of triangles as (3, 2, F), x and y, the lowest row first; equal rows in the order given."""
    corners = [np.stack(corner) for corner in zip(x, y)]
    for one, two in ((0, 1), (1, 2), (0, 1)):
        later = corners[two][1] < corners[one][1]
        corners[one], corners[two] = (
            chosen(later, corners[two], corners[one]),
            chosen(later, corners[one], corners[two]),
        )
    return corners


def _crossing(top: Doubles, bottom: Doubles, edge: Index, row: Doubles) -> Doubles:
    """Columns where rows cross edges given by their ends (2, E) and, for each row, the edge's number."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an edge along a row, which no row crosses
        slope = (bottom[0] - top[0]) / (bottom[1] - top[1])
    return top[0].take(edge) + (row - top[1].take(edge)) * slope.take(edge)
