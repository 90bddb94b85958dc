"""Looking points up in three axis-aligned feature planes, as InstantMesh and TripoSR do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Which coordinates a plane reads, as (width, height) of its picture: InstantMesh's plane 0 xy, plane 1 xz,
# plane 2 zy.
PLANE_AXES = ((0, 1), (0, 2), (2, 1))
Axes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def project_to_planes(points: Tensor, axes: Axes = PLANE_AXES) -> Tensor:
    """(B, P, 3) -> (B, 3, P, 2): the point's (width, height) coordinates on each plane, [-1, 1]
    from edge to edge.
    """
    columns = points.unbind(dim=-1)
    return torch.stack([torch.stack([columns[i], columns[j]], dim=-1) for i, j in axes], dim=1)


def sample_planes(planes: Tensor, points: Tensor, axes: Axes = PLANE_AXES) -> Tensor:
    """Bilinear features of points; zero outside the planes.

    Args:
        planes: (B, 3, C, H, W).
        points: (B, P, 3) in [-1, 1] (pixel edges at -1 and 1), any float type.
        axes: which coordinates each plane reads.

    Returns:
        (B, 3, P, C) float32, or float64 for float64 planes: coordinates lose too much in half precision.
    """
    dtype = torch.promote_types(planes.dtype, torch.float32)
    with torch.autocast(planes.device.type, enabled=False):
        grid = project_to_planes(points.to(dtype), axes).flatten(0, 1)[:, None]
        features = F.grid_sample(
            planes.to(dtype).flatten(0, 1), grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
    return features[:, :, 0].transpose(1, 2).unflatten(0, (-1, 3))


def point_features(planes: Tensor, points: Tensor) -> Tensor:
    """(B, P, 3*C): the features of the three planes one after the other."""
    return sample_planes(planes, points).transpose(1, 2).flatten(2)
