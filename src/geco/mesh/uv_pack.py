"""Pack charts into a square without overlap at the largest scale: large ones by their outlines,
small ones in strips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import expand, runs
from geco.mesh.uv_blocks import Blocks, outline_blocks, place_blocks
from geco.types import Array, Bools, Index

CELLS = 192  # own choice: grid of the placement; 256 packs 0.3 % tighter and takes 1.4 times the time
_SINGLE_CHARTS = 128  # own choice: charts placed one by one; the smaller rest goes in strips
_RUNS = 4  # own choice: trials of the scale once a packing is found
_CLOSE = 0.98  # own choice: no more trials when a scale 2 % larger found no room
FIRST_FILL = 0.62  # share of the square that a first run hopes for; typical for everyday objects


@dataclass
class Outlines:
    """Charts to pack: border edges in each chart's own frame (its box starts at the origin), charts' boxes
    and areas.

    Attributes:
        starts, ends: (B, 2) border edges, the chart on their left.
        of_edge: (B,) chart of each edge.
        sizes: (C, 2) boxes.
        area: sum of all charts' areas.
    """

    starts: Array
    ends: Array
    of_edge: Index
    sizes: Array
    area: float


@dataclass
class Packing:
    """Where charts go: ``texels = (points * scale, turned by 180 degrees in its box where turned)
    + offsets[chart]``.
    """

    offsets: Array
    scale: float
    turned: Bools


def pack(outlines: Outlines, size: int, padding: float, cells: int = CELLS) -> Packing:
    """Places for all charts in ``size`` x ``size`` texels at the largest scale found, ``padding`` texels
    between charts.

    ``cells`` a side is the grid of the placement. Where the padding alone leaves no room (many thousand
    charts in a small texture) it shrinks.
    """
    longest = float(outlines.sizes.max(initial=0)) or 1.0
    limit = max(size - padding, 1) * (1 - 1e-9) / longest
    scale = min(limit, size * np.sqrt(FIRST_FILL / max(outlines.area, 1e-12 * longest**2)))
    if len(outlines.sizes) == 1:
        scale = limit
    good: Packing | None = None
    too_large, run = np.inf, 0
    while True:
        run += 1
        trial, used = _pack_at(outlines, size, padding, scale, cells)
        if used <= 1:
            good = trial
        else:
            too_large = scale
        if good is not None and (run >= _RUNS or good.scale >= min(limit, _CLOSE * too_large)):
            return good
        if good is None:
            scale /= np.sqrt(min(used, 1.25)) * 1.005
            padding *= 1.0 if run < _RUNS else 0.8
        elif too_large < np.inf:
            scale = (good.scale + too_large) / 2
        else:
            scale = min(limit, good.scale * max(1 / np.sqrt(used), 1.03))


def _pack_at(
    outlines: Outlines, size: int, padding: float, scale: float, cells: int
) -> tuple[Packing, float]:
    """A packing at a fixed scale, and how much of the height it used (above 1: there was no room for all)."""
    boxes = outlines.sizes * scale + padding  # (C, 2) texels
    cell = size / cells
    order = np.argsort(-boxes.prod(axis=1), kind="stable")
    singles, rest = order[:_SINGLE_CHARTS], order[_SINGLE_CHARTS:]
    strip_of, strip_x, strip_boxes = _strips(boxes[rest], size)
    shapes = np.ceil(np.concatenate([boxes[singles], strip_boxes]) / cell - 1e-9).astype(np.intp).clip(1)
    columns, rows = shapes.T
    count = len(singles)
    item = np.full(len(boxes), -1, np.intp)
    item[singles] = np.arange(count)
    near = item[outlines.of_edge] >= 0
    to_cells = scale / cell
    half = padding / 2 / cell
    blocks = outline_blocks(
        outlines.starts[near] * to_cells + half,
        outlines.ends[near] * to_cells + half,
        item[outlines.of_edge[near]],
        rows[:count],
        columns[:count],
        half,
    )
    whole = np.ones(int((rows * columns)[count:].sum()), bool)
    blocks = Blocks(np.concatenate([blocks.cells, whole]), rows, columns)
    by_size = np.argsort(-(rows * columns) * 1.0, kind="stable")
    place, turned, used = place_blocks(blocks, by_size, cells, cells)
    # a turned chart turns within its raster, which is a little larger than its box
    slack = np.where(turned[:, None], shapes * cell - np.concatenate([boxes[singles], strip_boxes]), 0)
    corner = place * cell + slack
    offsets = np.empty_like(boxes)
    offsets[singles] = corner[:count]
    offsets[rest] = place[count:][strip_of] * cell
    offsets[rest, 0] += strip_x
    flipped = np.zeros(len(boxes), bool)
    flipped[singles] = turned[:count]
    return Packing(offsets + padding / 2, scale, flipped), used


def _strips(boxes: Array, size: int) -> tuple[Index, Array, Array]:
    """Small boxes of like heights side by side: strip of each box, its x there, and the (S, 2)
    strips' boxes.
    """
    if not len(boxes):
        return np.zeros(0, np.intp), np.zeros(0), np.zeros((0, 2))
    order = np.argsort(-boxes[:, 1], kind="stable")
    ends = np.cumsum(boxes[order, 0])
    starts = ends - boxes[order, 0]
    target = max(min(max(ends[-1] / 64, size / 8), size - boxes[:, 0].max()), 1.0)
    first, counts = runs((starts // target).astype(np.intp))  # starts only grow
    index = expand(counts)[0]
    of_box, x = np.empty(len(order), np.intp), np.empty(len(order))
    of_box[order] = index
    x[order] = starts - starts[first][index]
    widths = np.append(starts[first[1:]], ends[-1]) - starts[first]
    return of_box, x, np.stack([widths, boxes[order[first], 1]], axis=1)
