"""Grids: numbering, rounding, and that the sparse grid loses nothing of the dense one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geco.errors import ConfigError, MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import axis_coordinates, grid_from_volume, voxel_grid
from geco.isosurface.sparse_grid import sparse_grid
from geco.isosurface.tables import CORNERS
from geco.types import Floats


class Spheres:
    """The exact signed distance to a union of spheres; counts the points it is asked for."""

    def __init__(self, centres: Floats, radii: Floats) -> None:
        self.centres, self.radii, self.asked = centres, radii, 0

    def __call__(self, points: Floats) -> Floats:
        self.asked += len(points)
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
def test_the_sparse_grid_gives_the_dense_surface(seed: int, resolution: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    half_extent = 1.2
    # Even a sphere smaller than a coarse cell must be found: the band covers it.
    field = Spheres(
        rng.uniform(-0.8, 0.8, (count, 3)).astype(np.float32),
        rng.uniform(0.08, 0.35, count).astype(np.float32),
    )
    vertices, faces = extract(dense(field, half_extent, resolution))
    assume(len(faces) > 0)
    grid = sparse_grid(field, half_extent, resolution, lipschitz=1.0)
    ours, our_faces = extract(grid)
    assert np.array_equal(ours, vertices) and np.array_equal(our_faces, faces)


def test_the_sparse_grid_asks_for_a_fraction() -> None:
    field = Spheres(np.zeros((1, 3), np.float32), np.array([0.7], np.float32))
    grid = sparse_grid(field, 1.0, 64, band=0.5)
    assert field.asked < 0.25 * 65**3
    assert len(grid.cubes) < 0.05 * 64**3


def test_a_surface_met_once_is_followed_out_of_the_band() -> None:
    """With no band at all, a long thin rod is still whole: cells are added where it leaves the known ones."""
    a, b, radius = np.array([-0.9, -0.83, -0.71], np.float32), np.array([0.9, 0.77, 0.85], np.float32), 0.04

    def rod(points: Floats) -> Floats:
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return (np.linalg.norm(points - a - along[:, None] * (b - a), axis=1) - radius).astype(np.float32)

    vertices, cubes = voxel_grid(64, rounded=False)
    whole = extract(FlexiGrid(vertices * 2, rod(vertices * 2), cubes))
    found = extract(sparse_grid(rod, 1.0, 64, band=0.0))
    assert len(whole[1]) > 500 and np.array_equal(whole[1], found[1])
    # a matrix product's last bits depend on how many points it has
    assert np.abs(whole[0] - found[0]).max() < 1e-5


def test_a_sampled_volume_gives_the_same_surface() -> None:
    field = Spheres(np.array([[0.1, -0.2, 0.05]], np.float32), np.array([0.5], np.float32))
    full = dense(field, 1.0, 20)
    vertices, faces = extract(grid_from_volume(full.sdf.reshape(21, 21, 21), 1.0))
    expected = extract(full)
    assert np.array_equal(vertices, expected[0]) and np.array_equal(faces, expected[1])


def test_errors() -> None:
    far = Spheres(np.full((1, 3), 9.0, np.float32), np.array([0.5], np.float32))
    with pytest.raises(MeshError, match="no surface"):
        sparse_grid(far, 1.0, 32)
    with pytest.raises(MeshError, match="no surface"):
        grid_from_volume(np.ones((5, 5, 5), np.float32), 1.0)
    with pytest.raises(ConfigError, match="Use 12"):
        sparse_grid(far, 1.0, 48, coarse=20)
