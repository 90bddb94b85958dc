"""The z-buffer of `rasterize_numpy` on tensors: every triangle of every camera at once, on any
device, no gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def visible_faces(pixels: Tensor, inverse_depth: Tensor, faces: Tensor, size: int) -> Tensor:
    """The nearest face at every pixel centre.

    Args:
        pixels: (B, V, 2) positions as (column, row), whole numbers at pixel centres; double where the device
            has it.
        inverse_depth: (B, V), 0 for vertices that are not in front of the camera.
        faces: (F, 3) long.
        size: pixels a side.

    Returns:
        (B, size, size) int64 face numbers, -1 where nothing is seen. Of equally near faces the lowest number
        wins.
    """
    cameras, count = len(pixels), len(faces)
    corners = pixels[:, faces].reshape(cameras * count, 3, 2)
    inverse = inverse_depth[:, faces].reshape(cameras * count, 3)
    rows = corners[..., 1]
    first_row = rows.amin(dim=1).ceil().clamp(0, size)
    past_row = rows.amax(dim=1).ceil().clamp(0, size)
    candidates = torch.nonzero((past_row > first_row) & (inverse > 0).all(dim=1))[:, 0]
    if len(candidates) == 0:
        return torch.full((cameras, size, size), -1, dtype=torch.long, device=faces.device)
    corners, inverse = corners[candidates], inverse[candidates]
    top, middle, bottom = _top_to_bottom(corners).unbind(dim=1)

    face, row = _expand(first_row[candidates].long(), past_row[candidates].long())
    long = _edge_column(top[face], bottom[face], row)
    upper = (row < middle[face, 1])[:, None]
    short = _edge_column(
        torch.where(upper, top[face], middle[face]), torch.where(upper, middle[face], bottom[face]), row
    )
    run, column = _expand(
        torch.minimum(long, short).ceil().clamp(0, size).long(),
        torch.maximum(long, short).ceil().clamp(0, size).long(),
    )
    face, row = face[run], row[run]

    ramps = _depth_ramps(corners, inverse)
    nearness = ramps[face, 0] + ramps[face, 1] * column + ramps[face, 2] * row
    number = candidates[face]
    target = (number // count * size + row) * size + column
    nearest = nearness.new_zeros(cameras * size * size).scatter_reduce(0, target, nearness, "amax")
    won = torch.nonzero(nearness == nearest[target])[:, 0]
    nearest = torch.full((cameras * size * size,), count, dtype=torch.long, device=faces.device)
    nearest = nearest.scatter_reduce(0, target[won], number[won] % count, "amin")
    return torch.where(nearest == count, -1, nearest).reshape(cameras, size, size)


def _top_to_bottom(corners: Tensor) -> Tensor:
    """Corners (K, 3, 2) of each triangle sorted by row."""
    order = torch.argsort(corners[..., 1], dim=1, stable=True)
    return torch.gather(corners, 1, order[..., None].expand(-1, -1, 2))


def _edge_column(top: Tensor, bottom: Tensor, row: Tensor) -> Tensor:
    """Where edges (K, 2), (K, 2) cross rows (K,); from the upper end, so that both faces of an
    edge get the same bits.
    """
    return top[:, 0] + (row - top[:, 1]) * ((bottom[:, 0] - top[:, 0]) / (bottom[:, 1] - top[:, 1]))


def _expand(first: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
    """All numbers first[i] <= n < past[i]: which i, and n."""
    count = (past - first).clamp(min=0)
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    begin = torch.cumsum(count, dim=0) - count
    return owner, torch.arange(len(owner), device=count.device) + (first - begin)[owner]


def _depth_ramps(corners: Tensor, inverse: Tensor) -> Tensor:
    """(K, 3): 1 / depth = r0 + r1 column + r2 row over each triangle."""
    x, y = corners.unbind(dim=-1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    scale = torch.where(area != 0, 1 / torch.where(area != 0, area, 1), 0)
    planes = []
    for i, j in ((2, 0), (0, 1)):
        along, down = (y[:, i] - y[:, j]) * scale, (x[:, j] - x[:, i]) * scale
        planes.append(torch.stack([-(along * x[:, 0] + down * y[:, 0]), along, down], dim=1))
    first = -planes[0] - planes[1]
    first[:, 0] += 1
    return inverse[:, :1] * first + inverse[:, 1:2] * planes[0] + inverse[:, 2:] * planes[1]
