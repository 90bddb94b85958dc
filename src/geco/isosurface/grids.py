"""Voxel grids for FlexiCubes: the dense one of the public code, and sparse ones refined from coarse to fine.

Vertex (ix, iy, iz) of a grid of R cubes a side has the number (ix (R + 1) + iy) (R + 1) + iz: z fastest; the
corners of a cube run x fastest (see `tables.CORNERS`). numpy only; `torch.from_numpy` makes tensors of the
same arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from geco.errors import ConfigError, MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import case_numbers
from geco.isosurface.tables import CORNERS, FACE_DIRECTION, FACES
from geco.types import Bools, Floats, Index, Ints

Field = Callable[[Floats], Floats]  # (N, 3) world points -> (N,) signed distances, negative inside


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
    first = _first_corners(_mixed(np.less(volume, 0)))
    if len(first) == 0:
        raise MeshError(
            "the field has no surface inside the grid", "Check the picture's cut-out, or try another seed."
        )
    return _compact(volume, first, half_extent)


def sparse_grid(
    sdf: Field,
    half_extent: float,
    resolution: int,
    coarse: int | None = None,
    band: float = 1.0,
    lipschitz: float | None = None,
) -> FlexiGrid:
    """The cubes that the surface crosses, found by asking the field only near the surface.

    A coarse grid is evaluated whole, then halved step by step. A cell is refined when its corners differ in
    sign or
    the field is small enough somewhere that the surface may pass through: min |sdf| <= band * lipschitz *
    (half its diagonal). On the finest level, cells are added until no crossing leaves the cells that were
    asked, so a piece of surface that was met once is followed to its end and the mesh is closed. Only a whole
    separate piece that lies farther from every sample than the band says can be lost; for a field with that
    slope bound and band 1, none can.

    Args:
        sdf: signed field, negative inside; called a few times with many points.
        half_extent: the grid spans [-half_extent, half_extent]^3, world units.
        resolution: cubes a side.
        coarse: cubes a side of the first grid: resolution / a power of two (default: the first at or under a
            quarter).
        band: safety factor on the distance test; smaller is faster.
        lipschitz: bound on the field's slope; default: the steepest slope seen on the coarse grid.

    Raises:
        MeshError: no sign change on any level.
        ConfigError: ``coarse`` does not halve into ``resolution``.
    """
    size = _first_size(resolution, coarse)
    volume = _sample_all(sdf, half_extent, size)
    slope = _slope(volume, 2 * half_extent / size) if lipschitz is None else lipschitz
    kept = np.ones((size,) * 3, bool)
    while size < resolution:
        near = band * slope * np.float32(np.sqrt(3.0) * half_extent / size)
        kept &= _mixed(np.less(volume, 0)) | (_smallest(np.abs(volume)) <= near)
        size *= 2
        kept = kept.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
        volume = _refine(volume, kept, sdf, half_extent)
    first = _follow(volume, kept, sdf, half_extent)
    if len(first) == 0:
        raise MeshError(
            "the field has no surface inside the grid", "Check the picture's cut-out, or try another seed."
        )
    return _compact(volume, first, half_extent)


def _first_size(resolution: int, coarse: int | None) -> int:
    size = resolution
    while size % 2 == 0 and (size > coarse if coarse is not None else size > max(resolution // 4, 8)):
        size //= 2
    if coarse is not None and size != coarse:
        raise ConfigError(
            f"a grid of {coarse} cells cannot be halved into {resolution}", f"Use {size}, or leave it out."
        )
    return size


def _sample_all(sdf: Field, half_extent: float, size: int) -> Floats:
    """The field on every vertex: (size + 1)^3."""
    axis = _axis(half_extent, size)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(sdf(points), np.float32).reshape((size + 1,) * 3)


def _refine(coarse: Floats, kept: Bools, sdf: Field, half_extent: float) -> Floats:
    """A volume twice as fine: old samples are reused, new ones taken on the kept cells' corners,
    NaN elsewhere.
    """
    fine = np.full(np.array(kept.shape) + 1, np.nan, np.float32)
    fine[::2, ::2, ::2] = coarse
    _ask(fine, kept, sdf, half_extent)
    return fine


def _ask(volume: Floats, cells: Bools, sdf: Field, half_extent: float) -> None:
    """Fill in the unknown (NaN) corners of some cells of the volume."""
    wanted = np.zeros(volume.shape, bool)
    size = cells.shape[0]
    for x, y, z in CORNERS:
        wanted[x : x + size, y : y + size, z : z + size] |= cells
    missing = np.flatnonzero(wanted.ravel() & np.isnan(volume.ravel()))
    if len(missing):
        volume.ravel()[missing] = sdf(_positions(missing, half_extent, size))


def _follow(volume: Floats, known: Bools, sdf: Field, half_extent: float) -> Index:
    """(C,) first corners of the crossing cells, after asking wherever the surface leaves the known cells."""
    size = known.shape[0]
    inside = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)[:, FACES]  # by case
    mixed_faces: Bools = np.asarray(inside.any(axis=2) & ~inside.all(axis=2))  # (256, 6)
    while True:
        first = _first_corners(known & _mixed(np.less(volume, 0)))
        case = case_numbers(np.asarray(volume < 0).ravel(), first[:, None] + _corner_steps(size))
        added = np.zeros_like(known)
        for face, direction in enumerate(FACE_DIRECTION):
            leaving = (
                np.stack(np.unravel_index(first[mixed_faces[case, face]], volume.shape), axis=1) + direction
            )
            leaving = leaving[((leaving >= 0) & (leaving < size)).all(axis=1)]
            added[tuple(leaving.T)] = True
        added &= ~known
        if not added.any():
            return first
        known |= added
        _ask(volume, added, sdf, half_extent)


def _compact(volume: Floats, first: Index, half_extent: float) -> FlexiGrid:
    """Cells, given by their first corners, as a grid of their own: the dense order, only the
    vertices that they use.
    """
    size = volume.shape[0] - 1
    dense = first[:, None] + _corner_steps(size)
    used = np.zeros(volume.size, bool)
    used[dense] = True
    lattice = np.flatnonzero(used)
    number = np.empty(volume.size, np.int32)
    number[lattice] = np.arange(len(lattice), dtype=np.int32)
    return FlexiGrid(_positions(lattice, half_extent, size), volume.ravel()[lattice], number[dense])


def _first_corners(cells: Bools) -> Index:
    """The vertex numbers of the first corners of the marked cells."""
    padded = np.zeros(np.array(cells.shape) + 1, bool)
    padded[:-1, :-1, :-1] = cells
    return np.flatnonzero(padded)


def _corner_steps(size: int) -> Index:
    """(8,) how far the number of each corner lies from the first one's."""
    return CORNERS @ np.array([(size + 1) ** 2, size + 1, 1])


def _positions(lattice: Index, half_extent: float, size: int) -> Floats:
    """(N, 3) world positions of vertices given by number."""
    axis = _axis(half_extent, size)
    points = np.empty((len(lattice), 3), np.float32)
    rows = lattice // (size + 1)
    planes = rows // (size + 1)
    points[:, 0], points[:, 1], points[:, 2] = (
        axis[planes],
        axis[rows - planes * (size + 1)],
        axis[lattice - rows * (size + 1)],
    )
    return points


def _axis(half_extent: float, size: int) -> Floats:
    return axis_coordinates(size, rounded=False) * np.float32(2 * half_extent)


def _mixed(inside: Bools) -> Bools:
    """Cells whose eight corners are not all alike; (R + 1)^3 -> R^3."""
    some, every = inside, inside
    for axis in range(3):
        low, high = _halves(axis)
        some, every = some[low] | some[high], every[low] & every[high]
    return some & ~every


def _smallest(values: Floats) -> Floats:
    """The smallest corner value of every cell, NaN where a corner is unknown; (R + 1)^3 -> R^3."""
    for axis in range(3):
        low, high = _halves(axis)
        values = np.minimum(values[low], values[high])
    return values


def _halves(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    whole = (slice(None),) * axis
    return (*whole, slice(None, -1)), (*whole, slice(1, None))


def _slope(volume: Floats, spacing: float) -> float:
    """The steepest gradient among the cells, by differences from their first corner."""
    first = volume[:-1, :-1, :-1]
    squares = (
        (volume[1:, :-1, :-1] - first) ** 2
        + (volume[:-1, 1:, :-1] - first) ** 2
        + (volume[:-1, :-1, 1:] - first) ** 2
    )
    return float(np.sqrt(squares.max())) / spacing


def _shape(resolution: int | Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (resolution,) * 3 if isinstance(resolution, int) else resolution
    return x, y, z
