"""Grids: numbering, rounding, and that the cubes of a sampled volume lose nothing of the dense grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geco.errors import MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import axis_coordinates, grid_from_volume, voxel_grid
from geco.isosurface.tables import CORNERS
from geco.types import Floats


class Spheres:
    """The exact signed distance to a union of spheres."""

    def __init__(self, centres: Floats, radii: Floats) -> None:
        self.centres, self.radii = centres, radii

    def __call__(self, points: Floats) -> Floats:
        distance = np.linalg.norm(points[:, None] - self.centres, axis=2) - self.radii
        return distance.min(axis=1).astype(np.float32)


def dense(field: Spheres, half_extent: float, resolution: int) -> FlexiGrid:
    vertices, cubes = voxel_grid(resolution, rounded=False)
    points = vertices * np.float32(2 * half_extent)
    return FlexiGrid(points, field(points), cubes)


def test_numbering_and_geometry_of_a_dense_grid() -> None:
    vertices, cubes = voxel_grid((2, 3, 4))
    assert vertices.shape == (3 * 4 * 5, 3) and cubes.shape == (24, 8)
    assert np.allclose(vertices[(1 * 4 + 2) * 5 + 3], [1 / 2 - 0.5, 2 / 3 - 0.5, 3 / 4 - 0.5], atol=1e-5)
    sides = np.array([1 / 2, 1 / 3, 1 / 4])
    assert np.allclose(vertices[cubes] - vertices[cubes[:, :1]], CORNERS * sides, atol=3e-5)
    assert cubes[1, 0] == 1  # z runs fastest


@pytest.mark.parametrize("resolution", [64, 128])
def test_rounding_moves_coordinates_by_at_most_5e6(resolution: int) -> None:
    exact = np.arange(resolution + 1) / resolution - 0.5
    moved = np.abs(axis_coordinates(resolution) - exact).max()
    assert 1e-6 < moved < 5.1e-6
    assert np.abs(axis_coordinates(resolution, rounded=False) - exact).max() < 1e-7


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([16, 24, 32, 40]), st.integers(1, 6))
def test_a_sampled_volume_gives_the_dense_surface(seed: int, resolution: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    half_extent = 1.2
    field = Spheres(
        rng.uniform(-0.8, 0.8, (count, 3)).astype(np.float32),
        rng.uniform(0.08, 0.35, count).astype(np.float32),
    )
    full = dense(field, half_extent, resolution)
    vertices, faces = extract(full)
    assume(len(faces) > 0)
    grid = grid_from_volume(full.sdf.reshape((resolution + 1,) * 3), half_extent)
    ours, our_faces = extract(grid)
    assert np.array_equal(ours, vertices) and np.array_equal(our_faces, faces)
    assert len(grid.cubes) < 0.3 * resolution**3


def test_a_volume_without_a_surface_is_an_error() -> None:
    with pytest.raises(MeshError, match="no surface"):
        grid_from_volume(np.ones((5, 5, 5), np.float32), 1.0)
