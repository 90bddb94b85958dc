"""The view renderer against analytic pictures and against geco.cameras."""

from __future__ import annotations

import numpy as np
import pytest

from geco.cameras import orbit_poses, project_points
from geco.data.render import Light, frame_to_fill, lens, render_views
from tests.data.shapes import sphere, textured

pytest.importorskip("numba")
FLAT = Light(ambient=1.0, hemisphere=0.0)


def rays(size: int, fov: float) -> np.ndarray:
    """(S, S, 3) camera-space directions with z = -1 through pixel centres."""
    grid = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(grid, -grid)
    scale = 2 * np.tan(np.radians(fov) / 2)
    return np.stack([x * scale, y * scale, -np.ones_like(x)], -1)


def test_sphere_silhouette_and_depth() -> None:
    size, fov, distance, radius = 64, 30.0, 4.0, 0.7
    views = render_views(
        sphere(radius), orbit_poses([0, 100, 215], [0, 35, -60], distance), lens(fov, 3), size, FLAT
    )
    direction = rays(size, fov)
    squared = (direction**2).sum(-1)
    inside = distance**2 - squared * (distance**2 - radius**2)
    depth = (distance - np.sqrt(np.maximum(inside, 0))) / squared
    area = 4 * size**2 * np.sum(inside > 0) / inside.size
    rim = 10 * np.tan(np.radians(fov) / 2) / size  # a few pixels, where a 2x2 block's nearest sample differs
    away = np.linalg.norm(direction[..., :2], axis=-1) < np.tan(np.arcsin(radius / distance)) - rim
    for rgba, found in zip(views.rgba, views.depth):
        covered = rgba[..., 3].astype(float).sum() / 255
        assert covered * 4 == pytest.approx(area, rel=0.01)
        assert ((rgba[..., 3] == 255) >= (inside > 0.05 * inside.max())).all()
        assert ((rgba[..., 3] > 0) <= (inside > -0.05 * inside.max())).all()
        np.testing.assert_allclose(found[away], depth[away], atol=0.02)
        assert (found[rgba[..., 3] == 0] == 0).all()


def test_points_land_where_the_cameras_say() -> None:
    poses = orbit_poses([20, 200, 310], [20, -10, 60], 4.0)
    corners = np.array([[0.5, 0.3, 0.2], [-0.4, 0.5, -0.3], [0.1, -0.6, 0.5]], np.float32)
    size = 256
    for corner in corners:
        spot = textured(
            corner + 0.01 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]),
            _octahedron(),
        )
        rgba = render_views(spot, poses, lens(30.0, 3), size, FLAT).rgba
        expected, _ = project_points(corner[None], poses, 30.0)
        for view in range(3):
            weight = rgba[view, ..., 3].astype(float)
            v, u = np.indices(weight.shape) + 0.5
            centre = np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum() / size
            np.testing.assert_allclose(centre, expected[view, 0], atol=0.3 / size)


def _octahedron() -> np.ndarray:
    return np.array([[i, j, k] for i in (0, 1) for j in (2, 3) for k in (4, 5)])


def test_texture_stands_upright() -> None:
    """A square facing the camera at azimuth 0: right in the picture is +y, up is +z, and the
    texture's origin is top-left.
    """
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 3] = 255
    picture[0, 0], picture[0, 1], picture[1, 0] = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
    square = np.array([[0, -0.5, 0.5], [0, 0.5, 0.5], [0, 0.5, -0.5], [0, -0.5, -0.5]])
    obj = textured(square, [[0, 2, 1], [0, 3, 2]], [[0, 0], [1, 0], [1, 1], [0, 1]], picture)
    rgba = render_views(obj, orbit_poses([0], [0], 4.0), lens(30.0, 1), 32, FLAT).rgba[0]
    quarter = 5
    for (row, column), color in {
        (-1, -1): (255, 0, 0),
        (-1, 1): (0, 255, 0),
        (1, -1): (0, 0, 255),
        (1, 1): (0, 0, 0),
    }.items():
        np.testing.assert_array_equal(rgba[16 + row * quarter, 16 + column * quarter, :3], color)


def test_mask_makes_holes_and_the_near_surface_wins() -> None:
    picture = np.zeros((1, 2, 4), np.uint8)
    picture[0, 0], picture[0, 1] = (255, 0, 0, 255), (0, 0, 0, 0)
    near = np.array([[0.5, -0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, -0.5], [0.5, -0.5, -0.5]])
    obj = textured(np.concatenate([near, near - [1, 0, 0]]), [[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]])
    obj.uvs = np.tile(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), (2, 1))
    obj.textures, obj.materials = (
        [picture, np.full((1, 1, 4), 255, np.uint8)],
        np.array([0, 0, 1, 1], np.int32),
    )
    obj.cutoffs = np.array([0.5, 0.0], np.float32)
    views = render_views(obj, orbit_poses([0], [0], 4.0), lens(30.0, 1), 64, FLAT)
    np.testing.assert_array_equal(views.rgba[0, 32, 26], (255, 0, 0, 255))
    np.testing.assert_array_equal(views.rgba[0, 32, 38], (255, 255, 255, 255))
    assert views.depth[0, 32, 26] == pytest.approx(3.5, abs=1e-4)
    assert views.depth[0, 32, 38] == pytest.approx(4.5, abs=1e-4)


def test_world_fixed_light_from_above() -> None:
    """Seen from the side, shade is 0.8 + 0.2 n_z with the normal of the visible side."""
    rgba = render_views(sphere(), orbit_poses([40], [0], 40.0), lens(3.0, 1), 64).rgba[0]
    middle = rgba[:, 32, 0].astype(float)[rgba[:, 32, 3] == 255]
    rows = np.flatnonzero(rgba[:, 32, 3] == 255)
    height = (31.5 - rows) / 64 * 2 * 40 * np.tan(np.radians(1.5)) / 0.7
    np.testing.assert_allclose(middle / 255, 0.8 + 0.2 * height, atol=0.02)


@pytest.mark.parametrize("azimuth", [0, 77])
def test_framing_is_exact(azimuth: float) -> None:
    obj = textured([[0.3, 0.2, 0.9], [-0.2, 0.1, -0.5], [0.5, -0.3, 0.1]], [[0, 1, 2], [0, 2, 1]])
    poses = orbit_poses([azimuth], [15], 2.5)
    alpha = render_views(obj, poses, frame_to_fill(obj, poses, 0.85), 256, FLAT).rgba[0, ..., 3] > 0
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    sides = np.array([np.ptp(rows) + 1, np.ptp(columns) + 1])
    assert sides.max() == pytest.approx(0.85 * 256, abs=2)
    assert rows.mean() == pytest.approx(127.5, abs=1)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(127.5, abs=1)


def test_mirrored_object_is_the_flipped_picture() -> None:
    rng = np.random.default_rng(3)
    obj = textured(rng.uniform(-0.5, 0.5, (30, 3)), rng.integers(0, 30, (20, 3)))
    obj.colors = rng.random((30, 3)).astype(np.float32)
    azimuths = np.arange(0, 360, 30)
    plain = render_views(obj, orbit_poses(azimuths, 20.0, 4.0), lens(30.0, 12), 64).rgba
    mirrored = render_views(obj.mirrored(), orbit_poses(-azimuths, 20.0, 4.0), lens(30.0, 12), 64).rgba[
        :, :, ::-1
    ]
    different = np.abs(plain.astype(int) - mirrored).max(-1) > 2
    assert different.mean() < 1e-3  # samples exactly on an edge may fall to either side
