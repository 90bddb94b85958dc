"""Cycles against analytic pictures and against our own renderer (extra ``blender``; skipped where
bpy is not installed).
"""

from __future__ import annotations

import numpy as np
import pytest

from geco.cameras import orbit_poses
from geco.data.render import CHANNELS, Light, frame_to_fill, lens
from geco.errors import ConfigError
from tests.data.shapes import sphere, textured

pytest.importorskip("bpy")

from geco.data.render.blender import render_views
from geco.data.render.types import Cycles, Studio

FLAT = Light(ambient=1.0, hemisphere=0.0)
LIGHT = Light(0.6, 0.2, 0.3, (0.6, 0.0, 0.8))


def test_sphere_at_pixel_centres() -> None:
    """Depth, position and normal of the ray through the middle of every pixel, through a shifted lens."""
    size, radius, distance = 48, 0.7, 4.0
    poses = orbit_poses([0, 100], [0, 35], distance)
    lenses = lens(30.0, 2) + np.array([[0, 0, 0], [0.4, 0.1, -0.05]], np.float32)
    views = render_views(sphere(radius, 192), poses, lenses, size, FLAT, CHANNELS, Cycles(samples=64))
    assert views.position is not None and views.normal is not None
    for view, (focal, cx, cy) in enumerate(lenses):
        x, y = np.meshgrid((np.arange(size) + 0.5) / size - cx, cy - (np.arange(size) + 0.5) / size)
        rays = np.stack([x / focal, y / focal, -np.ones_like(x)], -1)
        squared = (rays**2).sum(-1)
        inside = distance**2 - squared * (distance**2 - radius**2)
        depth = (distance - np.sqrt(np.maximum(inside, 0))) / squared
        hit = views.depth[view] > 0
        assert (hit == (inside > 0))[np.abs(inside) > 0.05].all()
        sure = hit & (inside > 0.3)
        np.testing.assert_allclose(views.depth[view][sure], depth[sure], atol=5e-4)
        np.testing.assert_allclose(np.linalg.norm(views.position[view][sure], axis=-1), radius, atol=2e-4)
        assert (views.normal[view] * views.position[view]).sum(-1)[sure].min() > 0.9995 * radius
        assert views.rgba[view, ..., 3].sum() / 255 == pytest.approx((inside > 0).sum(), rel=0.02)
        assert (views.rgba[view][inside > 0.3] == 255).all()


def test_picture_is_that_of_our_renderer() -> None:
    """Texture, tint, mask, framing and light of the same cameras."""
    pytest.importorskip("numba")
    from geco.data.render import render_views as ours

    checks = np.zeros((4, 4, 4), np.uint8)
    checks[..., 3], checks[::2, :, 0], checks[:, 1::2, 1], checks[:2, :2, 2] = 255, 200, 180, 255
    checks[3, 3] = 0
    square = np.array([[0.1, -0.5, 0.5], [0.1, 0.5, 0.5], [-0.1, 0.5, -0.5], [-0.1, -0.5, -0.5]])
    uvs = np.array([[0, 0], [1.5, 0], [1.5, 1.5], [0, 1.5]])  # beyond 1: repeated
    obj = textured(square, [[0, 2, 1], [0, 3, 2]], uvs, checks)
    obj.cutoffs = np.array([0.5], np.float32)
    obj.colors = np.tile(np.array([[1.0, 0.8, 0.5]], np.float32), (4, 1))
    poses = orbit_poses([-20, 200], [10, -30], [4.0, 3.0])
    lenses, lights = frame_to_fill(obj, poses, 0.8), [LIGHT, FLAT]
    mine = ours(obj, poses, lenses, 128, lights, CHANNELS)
    theirs = render_views(obj, poses, lenses, 128, lights, CHANNELS, Cycles(samples=16))
    assert (
        mine.normal is not None
        and theirs.normal is not None
        and mine.position is not None
        and theirs.position is not None
    )
    both = (mine.rgba[..., 3] == 255) & (theirs.rgba[..., 3] == 255)
    either = (mine.rgba[..., 3] > 127) | (theirs.rgba[..., 3] > 127)
    assert both.sum() > 0.9 * either.sum()
    difference = np.abs(mine.rgba.astype(int) - theirs.rgba).max(-1)[both]
    # texel borders inside a pixel differ by the samples
    assert np.mean(difference <= 2) > 0.85 and difference.mean() < 4
    solid = both & (mine.depth > 0) & (theirs.depth > 0)
    np.testing.assert_allclose(mine.depth[solid], theirs.depth[solid], rtol=0.01)
    np.testing.assert_allclose(mine.normal[solid], theirs.normal[solid], atol=1e-3)
    np.testing.assert_allclose(mine.position[solid], theirs.position[solid], atol=0.03)


def test_studio_light_falls_from_the_sun() -> None:
    obj, poses = sphere(0.7, 32), orbit_poses([0], [0], 4.0)
    obj.colors[:] = 0.6
    sun = Studio(sky=0.2, sun=3.0, sun_direction=(0.3, 0.9, 0.3))
    first, again = (
        render_views(obj, poses, lens(30.0, 1), 32, cycles=Cycles(sun, samples=16)).rgba[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert first[16, 24, :3].mean() > 1.5 * first[16, 7, :3].mean()  # +y is to the right
    assert (first[0, 0] == 0).all()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="albedo"):
        render_views(sphere(0.3, 4), orbit_poses([0], 0, 4.0), lens(30.0, 1), 8, channels=("albedo",))
