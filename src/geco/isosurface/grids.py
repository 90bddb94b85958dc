"""Voxel grids for FlexiCubes, dense as in the public code.

Vertex (ix, iy, iz) of a grid of R cubes a side has the number (ix (R + 1) + iy) (R + 1) + iz: z fastest; the
corners of a cube run x fastest (see `tables.CORNERS`). numpy only; `torch.from_numpy` makes tensors of the
same arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.errors import MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.tables import CORNERS
from geco.types import Bools, Doubles, Floats, Index, Ints


def axis_coordinates(resolution: int, rounded: bool = True) -> Floats:
    """(R + 1,) coordinates along one axis of the unit cube about the origin.

    ``rounded`` keeps the public code's rounding to 5 decimals before the shift (off by up to 5e-6 where 1 / R
    needs more digits), which trained weights have seen.
    """
    steps = np.arange(resolution + 1, dtype=np.float32) / np.float32(resolution)
    if rounded:
        steps = np.round(steps * np.float32(1e5)) / np.float32(1e5)
    return steps - np.float32(0.5)


def voxel_grid(resolution: int | Sequence[int], rounded: bool = True) -> tuple[Floats, Ints]:
    """Every vertex and cube of a dense grid.

    Returns:
        vertices (N, 3) in [-0.5, 0.5]^3; cubes (C, 8) corner numbers, cube (0, 0, 1) second.
    """
    shape = _shape(resolution)
    axes = [axis_coordinates(r, rounded) for r in shape]
    vertices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    numbers = np.arange(len(vertices), dtype=np.int32).reshape([r + 1 for r in shape])
    cubes = np.empty((*shape, 8), np.int32)
    for c, corner in enumerate(CORNERS):
        cubes[..., c] = numbers[tuple(slice(o, o + r) for o, r in zip(corner, shape))]
    return vertices, cubes.reshape(-1, 8)


def grid_from_volume(sdf: Floats, half_extent: float) -> FlexiGrid:
    """The cubes with a sign change of a field sampled on a dense grid.

    Args:
        sdf: (R + 1, R + 1, R + 1) negative inside, indexed [ix, iy, iz].
        half_extent: the grid spans [-half_extent, half_extent]^3.

    Raises:
        MeshError: nothing crosses.
    """
    volume = np.ascontiguousarray(sdf, np.float32)
    first = first_corners(mixed(np.less(volume, 0)))
    if len(first) == 0:
        raise MeshError(
            "the field has no surface inside the grid", "Check the picture's cut-out, or try another seed."
        )
    return compact(volume, first, half_extent)


def compact(volume: Floats, first: Index, half_extent: float) -> FlexiGrid:
    """Cells, given by their first corners, as a grid of their own: the dense order, only the
    vertices that they use.
    """
    size = volume.shape[0] - 1
    dense = first[:, None] + corner_steps(size)
    used = np.zeros(volume.size, bool)
    used[dense] = True
    lattice = np.flatnonzero(used)
    number = np.empty(volume.size, np.int32)
    number[lattice] = np.arange(len(lattice), dtype=np.int32)
    return FlexiGrid(positions(lattice, half_extent, size), volume.ravel()[lattice], number[dense])


def first_corners(cells: Bools) -> Index:
    """The vertex numbers of the first corners of the marked cells."""
    padded = np.zeros(np.array(cells.shape) + 1, bool)
    padded[:-1, :-1, :-1] = cells
    return np.flatnonzero(padded)


def corner_steps(size: int) -> Index:
    """(8,) how far the number of each corner lies from the first one's."""
    return CORNERS @ np.array([(size + 1) ** 2, size + 1, 1])


def positions(lattice: Index, half_extent: float, size: int) -> Floats:
    """(N, 3) world positions of vertices given by number."""
    axis = axis_of(half_extent, size)
    points = np.empty((len(lattice), 3), np.float32)
    rows = lattice // (size + 1)
    planes = rows // (size + 1)
    points[:, 0], points[:, 1], points[:, 2] = (
        axis[planes],
        axis[rows - planes * (size + 1)],
        axis[lattice - rows * (size + 1)],
    )
    return points


def axis_of(half_extent: float, size: int) -> Floats:
    return axis_coordinates(size, rounded=False) * np.float32(2 * half_extent)


def mixed(inside: Bools) -> Bools:
    """Cells whose eight corners are not all alike; (R + 1)^3 -> R^3."""
    some, every = inside, inside
    for axis in range(3):
        low, high = halves(axis)
        some, every = some[low] | some[high], every[low] & every[high]
    return some & ~every


def halves(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    whole = (slice(None),) * axis
    return (*whole, slice(None, -1)), (*whole, slice(1, None))


def _shape(resolution: int | Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (resolution,) * 3 if isinstance(resolution, int) else resolution
    return x, y, z


def voxel_axis(size: int, half_extent: float) -> Doubles:
    """(size,) coordinates of the centres of voxels along one axis of a cube about the origin."""
    return ((np.arange(size) + 0.5) / size * 2 - 1) * half_extent


def voxel_centres(size: int, half_extent: float) -> Doubles:
    """(size^3, 3) world positions of the centres of a cube of voxels about the origin, order z, y, x with x
    fastest.
    """
    axis = voxel_axis(size, half_extent)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)
