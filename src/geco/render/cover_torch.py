"""Which pixel centres triangles cover, on tensors: `mesh.cover` for all triangles of all cameras at once, on
any device, no gradients.

Both triangles of an edge compute where it crosses a row from the same end, so that every centre on it belongs
to exactly one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Brings a whole number of one element to the host, which waits for it under a name.
Number = Callable[[Tensor, str], int]


def number(value: Tensor, name: str) -> int:
    """The number, whatever its name."""
    return int(value)


def covered(
    columns: Tensor,
    rows: Tensor,
    size: int,
    drawn: Tensor | None = None,
    name: str = "",
    number: Number = number,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every covered (triangle, row, column), (M,) int64 each, triangle after triangle.

    Args:
        columns, rows: (3, K) corners, whole numbers at pixel centres, in the device's widest float.
        size: pixels a side.
        drawn: (K,) which triangles count; None: all.
        name, number: how the host learns the numbers of rows and of pixels.
    """
    (ax, bx, cx), (ay, by, cy) = columns, rows
    ax, ay, bx, by = _ordered(ax, ay, bx, by)
    bx, by, cx, cy = _ordered(bx, by, cx, cy)
    ax, ay, bx, by = _ordered(ax, ay, bx, by)  # now from top to bottom
    first = ay.ceil().clamp(0, size).long()
    count = cy.ceil().clamp(0, size).long() - first
    if drawn is not None:
        count = torch.where(drawn, count, 0)
    triangle, place = expand(count, f"{name}: rows", number)
    row = first[triangle] + place
    top, middle, bottom = (
        torch.stack(pair, dim=1)[triangle] for pair in ((ax, ay), (bx, by), (cx, cy))
    )  # (R, 2) each
    long = _crossing(top, bottom, row)
    upper = (row < middle[:, 1])[:, None]
    short = _crossing(torch.where(upper, top, middle), torch.where(upper, middle, bottom), row)
    start = torch.minimum(long, short).ceil().clamp(0, size).long()
    past = torch.maximum(long, short).ceil().clamp(0, size).long()
    run, step = expand(past - start, f"{name}: pixels", number)
    return triangle[run], row[run], start[run] + step


def expand(counts: Tensor, name: str, number: Number = number) -> tuple[Tensor, Tensor]:
    """Owner and position of every item when owner i holds ``counts[i]`` (N,) items."""
    ends = torch.cumsum(counts, dim=0)
    total = number(ends[-1], name) if len(counts) else 0
    owners = torch.repeat_interleave(
        torch.arange(len(counts), device=counts.device), counts, output_size=total
    )
    return owners, torch.arange(total, device=counts.device) - (ends - counts)[owners]


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
