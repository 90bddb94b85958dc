"""The z-buffer of `rasterize_numpy` on tensors: every triangle of every camera at once, on any
device, no gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.render.cover_torch import covered


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
    corners = faces.T
    columns, rows, near = (
        values[:, corners].transpose(0, 1).reshape(3, cameras * count)
        for values in (*pixels.unbind(dim=2), inverse_depth)
    )
    triangle, row, column = covered(columns, rows, size, (near > 0).all(dim=0))
    if not len(triangle):
        return torch.full((cameras, size, size), -1, dtype=torch.long, device=faces.device)
    nearness = nearness_at(near, planes(columns, rows), triangle, row, column)
    target = (torch.div(triangle, count, rounding_mode="floor") * size + row) * size + column
    found = nearest(nearness, target, triangle % count, cameras * size * size, count)
    return torch.where(found == count, -1, found).reshape(cameras, size, size)


def nearest(nearness: Tensor, target: Tensor, face: Tensor, pixels: int, nobody: int) -> Tensor:
    """(pixels,) the nearest of the faces (M,) at pixels ``target`` (M,), of equally near ones the lowest
    number; ``nobody``, above all numbers, where there is none.
    """
    best = nearness.new_zeros(pixels).scatter_reduce(0, target, nearness, "amax")
    winner = torch.full((pixels,), nobody, dtype=torch.long, device=face.device)
    return winner.scatter_reduce(0, target, torch.where(nearness == best[target], face, nobody), "amin")


def nearness_at(near: Tensor, lines: Tensor, triangle: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """(M,) 1 / depth of triangles (M,) at pixels, from that of corners (3, K) and their :func:`planes`."""
    ramps = (near[:, None] * lines).sum(dim=0)  # 1 / depth = ramps[0] + ramps[1] column + ramps[2] row
    return ramps[0][triangle] + ramps[1][triangle] * column + ramps[2][triangle] * row


def planes(x: Tensor, y: Tensor) -> Tensor:
    """(3 corners, 3, K) of (3, K) corners: screen barycentric k = planes[k, 0] + planes[k, 1] column +
    planes[k, 2] row.
    """
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    inverse = torch.where(area != 0, 1 / torch.where(area != 0, area, 1), 0)
    of_corner = []
    for i, j in ((2, 0), (0, 1)):
        along, down = (y[i] - y[j]) * inverse, (x[j] - x[i]) * inverse
        of_corner.append(torch.stack([-(along * x[0] + down * y[0]), along, down]))
    first = -of_corner[0] - of_corner[1]
    first[0] += 1
    return torch.stack([first, *of_corner])
