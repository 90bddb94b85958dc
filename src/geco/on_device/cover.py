"""Which pixel centres lie in which triangles, for all triangles at once: rows of triangles, runs of pixels.

Both triangles of an edge compute where it crosses a row from the same end, so that every centre on it belongs
to exactly one of them (the rule of `mesh.uv_raster` and `render.rasterize_numpy`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.on_device.groups import expand


def covered(
    columns: Tensor, rows: Tensor, size: int, name: str, drawn: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Every covered (triangle, row, column), (M,) int64 each.

    Args:
        columns, rows: (3, K) corners, whole numbers at pixel centres, in the device's widest float.
        size: pixels a side.
        name: of the two waits: for the numbers of rows and of pixels.
        drawn: (K,) which triangles count; None: all.
    """
    (ax, bx, cx), (ay, by, cy) = columns, rows
    ax, ay, bx, by = _ordered(ax, ay, bx, by)
    bx, by, cx, cy = _ordered(bx, by, cx, cy)
    ax, ay, bx, by = _ordered(ax, ay, bx, by)  # now from top to bottom
    first = ay.ceil().clamp(0, size).long()
    count = cy.ceil().clamp(0, size).long() - first
    if drawn is not None:
        count = torch.where(drawn, count, 0)
    triangle, place = expand(count, f"{name}: rows")
    row = first[triangle] + place
    top, middle, bottom = (
        torch.stack(pair, dim=1)[triangle] for pair in ((ax, ay), (bx, by), (cx, cy))
    )  # (R, 2) each
    long = _crossing(top, bottom, row)
    upper = (row < middle[:, 1])[:, None]
    short = _crossing(torch.where(upper, top, middle), torch.where(upper, middle, bottom), row)
    start = torch.minimum(long, short).ceil().clamp(0, size).long()
    past = torch.maximum(long, short).ceil().clamp(0, size).long()
    run, step = expand(past - start, f"{name}: pixels")
    return triangle[run], row[run], start[run] + step


def _ordered(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two corners, the upper one first; of equals the first stays."""
    swap = by < ay
    return (
        torch.where(swap, bx, ax),
        torch.where(swap, by, ay),
        torch.where(swap, ax, bx),
        torch.where(swap, ay, by),
    )


def _crossing(top: Tensor, bottom: Tensor, row: Tensor) -> Tensor:
    """The columns (R,) where edges cross their rows."""
    slope = (bottom[:, 0] - top[:, 0]) / (bottom[:, 1] - top[:, 1])
    return top[:, 0] + (row - top[:, 1]) * slope
