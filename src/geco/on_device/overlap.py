"""Which triangles of one group lie on one another in the plane, on a device: the exact test of
`mesh.uv_overlap`, on all triangles that come near one another.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.on_device import waits
from geco.on_device.groups import expand, sorted_runs

# Cells that boxes may fill altogether, by number of boxes: a few huge ones among small would fill too many.
_CELLS_A_BOX = 8


def overlapping_triangles(x: Tensor, y: Tensor, groups: Tensor, tolerance: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of triangles of the same group that share more than ``tolerance`` of interior, the lower number
    first.

    Args:
        x, y: (3, N) corners, any orientation; triangles thinner than the tolerance overlap nothing.
        groups: (N,) numbers; only triangles of the same group are compared.
        tolerance: how far two triangles must reach into one another, one element.
    """
    double = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    lengths = torch.hypot(x - x.roll(1, dims=0), y - y.roll(1, dims=0))
    solid = double.abs() > tolerance * lengths.amax(dim=0)
    # Counter-clockwise all.
    turned = double < 0
    x = torch.where(turned, x.flip(0), x)
    y = torch.where(turned, y.flip(0), y)
    one, two = _near_pairs(x, y, groups, solid, tolerance)
    left = waits.places(
        ~(_beyond_edges(x, y, tolerance, one, two) | _beyond_edges(x, y, tolerance, two, one)),
        "triangles that overlap",
    )
    return one[left], two[left]


def _beyond_edges(x: Tensor, y: Tensor, tolerance: Tensor, fixed: Tensor, other: Tensor) -> Tensor:
    """(P,) whether the line of some edge of the counter-clockwise ``fixed`` has all of ``other`` on its outer
    side, or no further inside than the tolerance.
    """
    start_x, start_y = x[:, fixed], y[:, fixed]
    edge_x, edge_y = start_x.roll(-1, dims=0) - start_x, start_y.roll(-1, dims=0) - start_y
    across, up = x[:, None, other] - start_x, y[:, None, other] - start_y  # (corner, edge, P)
    inside = (edge_x * up - edge_y * across).amax(dim=0)
    return (inside <= tolerance * torch.hypot(edge_x, edge_y)).any(dim=0)


def _near_pairs(
    x: Tensor, y: Tensor, groups: Tensor, solid: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor]:
    """Pairs whose boxes share ``tolerance`` or more along both axes, each once."""
    low, high = torch.stack([x.amin(dim=0), y.amin(dim=0)]), torch.stack([x.amax(dim=0), y.amax(dim=0)])
    origin = low.amin(dim=1, keepdim=True)
    cell = 2 * (high - low).amax(dim=0).mean()
    cell = torch.where(cell > 0, cell, 1)
    while True:
        first = ((low - origin) / cell).long()
        spans = ((high - origin) / cell).long() - first + 1  # (2, N)
        filled = torch.where(solid, spans.prod(dim=0), 0)
        if waits.number(filled.sum() <= _CELLS_A_BOX * len(groups) + 64, "whether cells are few"):
            break
        cell = 2 * cell
    owner, place = expand(filled, "cells of triangles")
    column = first[0][owner] + place % spans[0][owner]
    row = first[1][owner] + torch.div(place, spans[0][owner], rounding_mode="floor")
    width, height = (first + spans).amax(dim=1)
    order, run = sorted_runs((groups[owner] * width + column) * height + row)
    owner, column, row = owner[order], column[order], row[order]
    at = torch.arange(len(order), device=order.device)
    last = torch.zeros_like(run).scatter_reduce(0, run, at, "amax")
    entry, step = expand(last[run] - at, "triangles in one cell")
    one, two = owner[entry], owner[entry + 1 + step]
    lower = torch.maximum(low[:, one], low[:, two])
    near = (torch.minimum(high[:, one], high[:, two]) - lower >= tolerance).all(dim=0)
    # A pair counts in the one cell that holds the lower corner of what its boxes share.
    place = ((lower - origin) / cell).long()
    near &= (place[0] == column[entry]) & (place[1] == row[entry])
    kept = waits.places(near, "triangles near one another")
    return one[kept], two[kept]
