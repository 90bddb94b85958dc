"""Normals, positions and occlusion against analytic values; cutting at the near plane; pictures
that may not change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.cameras import invert, look_at, orbit_poses
from geco.data.render import NEAR_PLANE, AmbientOcclusion, Light, Views, frame_to_fill, lens, render_views
from geco.errors import ConfigError, MeshError
from tests.data.shapes import sphere, tangle, textured

pytest.importorskip("numba")
FLAT = Light(ambient=1.0, hemisphere=0.0)
ALL = ("rgba", "depth", "normal", "position")
STORED = Path(__file__).with_name("render_before_channels.npz")


@pytest.mark.parametrize("seed", [1, 2])
def test_pictures_are_those_of_the_first_renderer(seed: int) -> None:
    """Stored before normals and positions existed. On the same processor equal to the bit; others
    may fuse multiplications.
    """
    stored = np.load(STORED)
    obj, poses = tangle(seed), orbit_poses([10, 130, 250], [20, -10, 60], [4, 3, 5])
    lights = [Light(0.7, 0.1, 0.5, (0.6, 0, 0.8)), Light(), Light(1.0, 0.2, 0.3, (0, -0.6, 0.8))]
    plain = render_views(obj, poses, lens(30.0, 3), 48)
    lit = render_views(obj, poses, frame_to_fill(obj, poses, 0.85), 48, lights)
    for name, views in {"plain": plain, "lit": lit}.items():
        off = np.abs(views.rgba.astype(int) - stored[f"{seed}.{name}.rgba"]).max(-1) > 1
        assert off.mean() < 2e-3
        assert (np.abs(views.depth - stored[f"{seed}.{name}.depth"]) > 1e-5).mean() < 2e-3
        assert (views.rgba[..., 3] > 0).mean() > 0.02
        assert views.normal is None and views.position is None


def test_more_channels_do_not_change_the_picture() -> None:
    obj, poses = tangle(5), orbit_poses([10, 130], [20, -10], 4.0)
    few, many = (
        render_views(obj, poses, lens(30.0, 2), 32, channels=channels)
        for channels in (("rgba", "depth"), ALL)
    )
    np.testing.assert_array_equal(few.rgba, many.rgba)
    np.testing.assert_array_equal(few.depth, many.depth)


def test_normals_and_positions_of_a_sphere() -> None:
    radius = 0.7
    views = render_views(
        sphere(radius, 192), orbit_poses([0, 100, 215], [0, 35, -60], 4.0), lens(30.0, 3), 96, FLAT, ALL
    )
    assert views.normal is not None and views.position is not None
    hit = views.depth > 0
    np.testing.assert_allclose(np.linalg.norm(views.position[hit], axis=-1), radius, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(views.normal[hit], axis=-1), 1, atol=1e-5)
    assert ((views.normal * views.position).sum(-1)[hit] / radius).min() > 0.9998  # a facet of a degree
    assert (views.normal[~hit] == 0).all() and (views.position[~hit] == 0).all()


def test_positions_agree_with_depth_and_lie_in_their_pixel() -> None:
    obj, size = tangle(7), 64
    poses = orbit_poses([10, 130], [20, -50], 3.0)
    lenses = frame_to_fill(obj, poses, 0.8)
    views = render_views(obj, poses, lenses, size, FLAT, ALL)
    assert views.position is not None and views.normal is not None
    for view, w2c in enumerate(invert(poses)):
        rows, columns = np.nonzero(views.depth[view])
        local = views.position[view, rows, columns] @ w2c[:3, :3].T + w2c[:3, 3]
        np.testing.assert_allclose(-local[:, 2], views.depth[view, rows, columns], rtol=1e-5)
        focal, cx, cy = lenses[view]
        u, v = (
            (cx - focal * local[:, 0] / local[:, 2]) * size,
            (cy + focal * local[:, 1] / local[:, 2]) * size,
        )
        assert np.abs(np.abs(u - columns - 0.5) - 0.25).max() < 1e-3  # the samples of a 2 x 2 block
        assert np.abs(np.abs(v - rows - 0.5) - 0.25).max() < 1e-3
        toward = poses[view, :3, 3] - views.position[view, rows, columns]
        assert ((toward * views.normal[view, rows, columns]).sum(-1) > -1e-5).all()


def test_camera_inside_a_sphere_sees_its_inside() -> None:
    """A camera in the middle of things gets true distances; half of the sphere lies behind it."""
    poses = look_at([[0.2, 0.0, 0.0], [0.0, -0.3, 0.1]])
    views = render_views(sphere(0.7, 96), poses, lens(90.0, 2), 48, FLAT, ALL)
    assert (views.rgba[..., 3] == 255).all()
    assert views.position is not None and views.normal is not None
    np.testing.assert_allclose(np.linalg.norm(views.position, axis=-1), 0.7, atol=1e-3)
    assert (views.normal * views.position).sum(-1).max() < 0


def test_floor_that_reaches_behind_the_camera() -> None:
    """Triangles cut at the near plane: an unbounded floor fills the lower half at analytic
    depths, textures in place.
    """
    checks = np.zeros((2, 2, 4), np.uint8)
    checks[..., 3] = 255
    checks[0, 0, :3] = checks[1, 1, :3] = 255
    corners = np.array([[-20, -20, 0], [20, -20, 0], [20, 20, 0], [-20, 20, 0]], float)
    obj = textured(corners, [[0, 1, 2], [0, 2, 3]], corners[:, :2] / 2, checks)
    height, size = 0.5, 64
    pose = look_at([[0.0, 0.0, height]], [-1.0, 0.0, height])
    views = render_views(obj, pose, lens(90.0, 1), size, FLAT, ALL)
    assert views.position is not None
    below = np.arange(size) > size // 2 + 3
    nearest = (np.arange(size) + 0.75 - size / 2) / (size / 2)  # slope of the lower sample row
    np.testing.assert_allclose(
        views.depth[0][below], np.tile(height / nearest[below, None], (1, size)), rtol=1e-4
    )
    assert (views.depth[0, : size // 2] == 0).all()
    near = np.arange(size) > size * 3 // 4
    spot = views.position[0][near]
    white = (np.floor(spot[..., 0]) + np.floor(spot[..., 1])) % 2 == 0
    sure = np.abs(spot[..., :2] - np.round(spot[..., :2])).min(-1) > 0.05
    np.testing.assert_array_equal(views.rgba[0][near][..., 0][sure] == 255, white[sure])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.0, 0.9), st.floats(20, 110))
def test_near_cameras_never_draw_garbage(seed: int, distance: float, fov: float) -> None:
    """Whatever is seen lies on the object, in front of the camera, beyond the near plane."""
    rng = np.random.default_rng(seed)
    obj = tangle(seed, 20)
    eye = rng.normal(size=3)
    pose = look_at([distance * eye / np.linalg.norm(eye)], rng.uniform(-0.2, 0.2, 3))
    views = render_views(obj, pose, lens(fov, 1), 24, None, ALL)
    assert views.position is not None
    hit = views.depth[0] > 0
    assert np.isfinite(views.depth).all() and (views.depth[0][hit] >= NEAR_PLANE * 0.999).all()
    points = views.position[0][hit]
    assert (np.abs(points) <= 0.5 + 1e-3).all()
    corners = obj.vertices[obj.faces].astype(float)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    off = np.abs(points @ normals.T - (corners[:, 0] * normals).sum(1))
    assert (off.min(axis=1) < 2e-3).all() if len(points) else True


def test_everything_behind_the_camera_is_nothing() -> None:
    views = render_views(sphere(0.3), look_at([[2.0, 0, 0]], [4.0, 0, 0]), lens(60.0, 1), 16, None, ALL)
    assert not views.rgba.any() and not views.depth.any()


def occluded(obj: object, poses: np.ndarray, settings: AmbientOcclusion | None, fov: float = 30.0) -> Views:
    return render_views(obj, poses, lens(fov, len(poses)), 64, FLAT, ALL, settings)  # type: ignore[arg-type]


def test_convex_objects_are_not_occluded() -> None:
    views = occluded(sphere(), orbit_poses([0, 100], [0, 50], 4.0), AmbientOcclusion(1.0))
    shown = views.rgba[..., 0][views.rgba[..., 3] == 255].astype(float) / 255
    assert shown.mean() > 0.99
    assert shown.min() > 0.9


def test_occlusion_beside_a_wall() -> None:
    """On a floor at distance x from a wall of height h and great length: visibility = (1 + x /
    sqrt(x^2 + h^2)) / 2.
    """
    h, wide = 0.5, 3.0
    floor = [[0, -wide, 0], [2, -wide, 0], [2, wide, 0], [0, wide, 0]]
    wall = [[0, -wide, 0], [0, wide, 0], [0, wide, h], [0, -wide, h]]
    obj = textured(np.array(floor + wall, float), [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    settings = AmbientOcclusion(1.0, directions=512, resolution=512)
    views = occluded(obj, look_at([[0.5, 0.0, 3.0]], [0.5, 0.0, 0.0]), settings, 24.0)
    assert views.position is not None and views.normal is not None
    floor_seen = (
        (views.normal[0, ..., 2] > 0.9)
        & (np.abs(views.position[0, ..., 1]) < 0.3)
        & (views.position[0, ..., 0] > 0.08)
    )
    x = views.position[0, ..., 0][floor_seen]
    expected = (1 + x / np.sqrt(x**2 + h**2)) / 2
    assert floor_seen.sum() > 500 and expected.min() < 0.62 and expected.max() > 0.9
    np.testing.assert_allclose(views.rgba[0, ..., 0][floor_seen] / 255, expected, atol=0.05)
    np.testing.assert_array_equal(
        views.rgba, occluded(obj, look_at([[0.5, 0.0, 3.0]], [0.5, 0.0, 0.0]), settings, 24.0).rgba
    )


def test_strength_scales_the_darkening() -> None:
    obj, poses = tangle(3), orbit_poses([40], [30], 3.0)
    bare, half, full = (occluded(obj, poses, s) for s in (None, AmbientOcclusion(0.5), AmbientOcclusion(1.0)))
    np.testing.assert_array_equal(bare.rgba, occluded(obj, poses, AmbientOcclusion(0.0)).rgba)
    middle = (bare.rgba[..., :3].astype(float) + full.rgba[..., :3]) / 2
    np.testing.assert_allclose(half.rgba[..., :3], middle, atol=1.1)
    assert full.rgba[..., :3].mean() < 0.9 * bare.rgba[..., :3].mean()
    np.testing.assert_array_equal(bare.rgba[..., 3], full.rgba[..., 3])


@pytest.mark.parametrize(
    "change",
    [
        {"channels": ("rgba", "albedo")},
        {"size": 0},
        {"lights": [Light()]},
        {"c2w": np.eye(4, dtype=np.float32)},
        {"c2w": np.full((2, 4, 4), np.nan, np.float32)},
        {"lenses": np.zeros((2, 3), np.float32)},
    ],
)
def test_wrong_arguments_are_refused(change: dict[str, object]) -> None:
    right = {"obj": sphere(0.3, 4), "c2w": orbit_poses([0, 1], 0, 4.0), "lenses": lens(30.0, 2), "size": 8}
    render_views(**right)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        render_views(**{**right, **change})  # type: ignore[arg-type]


def test_vertices_that_are_not_finite_are_refused() -> None:
    obj = sphere(0.3, 4)
    obj.vertices[3, 1] = np.inf
    with pytest.raises(MeshError, match="not finite"):
        render_views(obj, orbit_poses([0], 0, 4.0), lens(30.0, 1), 8)
    with pytest.raises(ConfigError, match="strength"):
        AmbientOcclusion(strength=2.0)


def test_blended_materials_are_drawn_solid() -> None:
    """Without a cutoff, the alpha of a texture is ignored: its colour covers what lies behind it."""
    faint = np.array([[[200, 100, 50, 0]]], np.uint8)
    obj = textured(
        [[0, -0.5, 0.5], [0, 0.5, 0.5], [0, 0.5, -0.5], [0, -0.5, -0.5]], [[0, 2, 1], [0, 3, 2]], None, faint
    )
    views = render_views(obj, orbit_poses([0], 0, 4.0), lens(30.0, 1), 16, FLAT)
    np.testing.assert_array_equal(views.rgba[0, 8, 8], (200, 100, 50, 255))
    obj.cutoffs = np.array([0.5], np.float32)
    assert not render_views(obj, orbit_poses([0], 0, 4.0), lens(30.0, 1), 16, FLAT).rgba.any()
