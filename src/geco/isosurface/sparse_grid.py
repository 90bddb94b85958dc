"""The cubes that a surface crosses, found from coarse to fine by asking a field only near the surface.
numpy only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geco.errors import ConfigError, MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import case_numbers
from geco.isosurface.grids import axis_of, compact, corner_steps, first_corners, halves, mixed, positions
from geco.isosurface.tables import CORNERS, FACE_DIRECTION, FACES
from geco.types import Bools, Floats, Index

Field = Callable[[Floats], Floats]  # (N, 3) world points -> (N,) signed distances, negative inside


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
        kept &= mixed(np.less(volume, 0)) | (_smallest(np.abs(volume)) <= near)
        size *= 2
        kept = kept.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
        volume = _refine(volume, kept, sdf, half_extent)
    first = _follow(volume, kept, sdf, half_extent)
    if len(first) == 0:
        raise MeshError(
            "the field has no surface inside the grid", "Check the picture's cut-out, or try another seed."
        )
    return compact(volume, first, half_extent)


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
    axis = axis_of(half_extent, size)
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
        volume.ravel()[missing] = sdf(positions(missing, half_extent, size))


def _follow(volume: Floats, known: Bools, sdf: Field, half_extent: float) -> Index:
    """(C,) first corners of the crossing cells, after asking wherever the surface leaves the known cells."""
    size = known.shape[0]
    inside = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)[:, FACES]  # by case
    mixed_faces: Bools = np.asarray(inside.any(axis=2) & ~inside.all(axis=2))  # (256, 6)
    while True:
        first = first_corners(known & mixed(np.less(volume, 0)))
        case = case_numbers(np.asarray(volume < 0).ravel(), first[:, None] + corner_steps(size))
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


def _smallest(values: Floats) -> Floats:
    """The smallest corner value of every cell, NaN where a corner is unknown; (R + 1)^3 -> R^3."""
    for axis in range(3):
        low, high = halves(axis)
        values = np.minimum(values[low], values[high])
    return values


def _slope(volume: Floats, spacing: float) -> float:
    """The steepest gradient among the cells, by differences from their first corner."""
    first = volume[:-1, :-1, :-1]
    squares = (
        (volume[1:, :-1, :-1] - first) ** 2
        + (volume[:-1, 1:, :-1] - first) ** 2
        + (volume[:-1, :-1, 1:] - first) ** 2
    )
    return float(np.sqrt(squares.max())) / spacing
