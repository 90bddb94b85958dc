"""What InstantMesh needs to know of its voxel grid beyond corners and cubes: centre, shell, surface
cubes, empty shapes.

Corners are numbered (ix * (R + 1) + iy) * (R + 1) + iz for R cubes a side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.isosurface.grids import corner_steps, voxel_grid


def grid_tensors(resolution: int, device: torch.device | str | None = None) -> tuple[Tensor, Tensor]:
    """Corners (N, 3) of the unit cube about the origin and cubes (R^3, 8) int64, as FlexiCubes
    numbers them.
    """
    corners, cubes = voxel_grid(resolution)
    return torch.from_numpy(corners).to(device), torch.from_numpy(cubes).to(device, torch.int64)


def cube_corners(cubes: Tensor, resolution: int) -> Tensor:
    """Numbers (K,) of cubes -> those of their corners (K, 8), as in :func:`grid_tensors`."""
    rows = cubes // resolution
    x = rows // resolution
    # a side has one corner more than cubes: one more a row, and a row more a layer
    first = cubes + rows + x * (resolution + 1)
    return first[:, None] + torch.from_numpy(corner_steps(resolution)).to(cubes.device)


def corner_points(corners: Tensor, axis: Tensor) -> Tensor:
    """Numbers (N,) of corners -> points (N, 3), from the coordinates (R + 1,) along an axis."""
    rows = corners // len(axis)
    return axis[torch.stack([rows // len(axis), rows % len(axis), corners % len(axis)], dim=1)]


def center_index(resolution: int) -> int:
    """The corner that becomes positive in an empty shape: index R // 2 + 1 on every axis (the
    reference's, off centre by one).
    """
    side, middle = resolution + 1, resolution // 2 + 1
    return (middle * side + middle) * side + middle


def shell_mask(resolution: int, layers: int = 2, device: torch.device | str | None = None) -> Tensor:
    """(N,) bool: corners in the outermost ``layers``."""
    mask = torch.ones((resolution + 1,) * 3, dtype=torch.bool, device=device)
    inner = slice(layers, resolution + 1 - layers)
    mask[inner, inner, inner] = False
    return mask.reshape(-1)


def surface_cubes(sdf: Tensor, resolution: int) -> Tensor:
    """Indices (K,) of the cubes that the surface crosses; sdf (N,) with inside < 0."""
    inside = (sdf.reshape((resolution + 1,) * 3) < 0).to(torch.uint8)
    for axis in range(3):
        # After the three sums every cube holds how many of its 8 corners are inside.
        inside = inside.narrow(axis, 0, resolution) + inside.narrow(axis, 1, resolution)
    return torch.nonzero(((inside > 0) & (inside < 8)).reshape(-1))[:, 0]


def sign_change_penalty(sdf: Tensor, resolution: int) -> Tensor:
    """Mean cross-entropy, both ways, of the signs at the ends of the grid's edges whose ends differ in sign:
    the regulariser against floaters of GET3D, FlexiCubes and InstantMesh (model_mesh.py, sdf_reg_loss_batch).

    Args:
        sdf: (N,) of one item.

    Returns:
        A scalar; 0 where no sign changes.
    """
    grid = sdf.reshape((resolution + 1,) * 3)
    ends: list[tuple[Tensor, Tensor]] = []
    for axis in range(3):
        first, second = grid.narrow(axis, 0, resolution), grid.narrow(axis, 1, resolution)
        changes = first.sign() != second.sign()
        ends.append((first[changes], second[changes]))
    first, second = (torch.cat(part) for part in zip(*ends))
    if not len(first):
        return sdf.sum() * 0
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    forth = cross_entropy(first, (second > 0).to(sdf.dtype))
    return forth + cross_entropy(second, (first > 0).to(sdf.dtype))


def fill_empty(sdf: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """InstantMesh's rule for shapes without a surface, so that extraction and its gradients never see one.

    Where no sign changes strictly inside the grid, the centre corner becomes 1 - min and the two outermost
    layers -1 - max (extremes over the batch), which always crosses; such an item passes no gradient through
    its SDF but a penalty.

    Args:
        sdf: (B, N, 1).

    Returns:
        The SDF, and the penalty (B,): mean |sdf| of the items that were empty, 0 for the others.
    """
    inner = sdf.reshape(-1, *(resolution + 1,) * 3)[:, 1:-1, 1:-1, 1:-1].flatten(1)
    empty = ((inner > 0).sum(1) == 0) | ((inner < 0).sum(1) == 0)
    penalty = sdf.abs().mean(dim=(1, 2)) * empty.to(sdf.dtype)
    if not empty.any():
        return sdf, penalty
    values = sdf.detach()
    shell = shell_mask(resolution, device=sdf.device)
    update = shell.to(sdf.dtype) * (-1 - values.max())
    update[center_index(resolution)] += 1 - values.min()
    filled = torch.where(update[:, None] != 0, update[:, None], values)
    return torch.where(empty[:, None, None], filled, sdf), penalty
