"""The z-buffers: exact depth and attributes, exact cover, no holes, and twins that agree pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from geco.cameras import orbit_poses, project_points
from geco.errors import ConfigError
from geco.render import rasterize_torch as torch_twin
from geco.render.rasterize_numpy import Window, covered_pixels, project_to_pixels, rasterize
from geco.render.shade_numpy import interpolate
from tests.render.shapes import FOV, FRONT, RADIUS, ball, focal, soup, square


def test_a_facing_square_covers_exactly_its_pixels_at_its_depth() -> None:
    size = 64
    vertices, faces = square(0.5, (-0.31, -0.2), (0.42, 0.53))
    found = rasterize(vertices, faces, FRONT, FOV, size)
    scale = focal(size) / (RADIUS - 0.5)
    centres = np.arange(size) + 0.5 - size / 2
    inside = (centres >= -0.31 * scale) & (centres < 0.42 * scale)
    above = (-centres > -0.2 * scale) & (-centres <= 0.53 * scale)
    assert np.array_equal(found.mask, above[:, None] & inside)
    assert np.abs(found.depth[found.mask] - (RADIUS - 0.5)).max() < 1e-6
    assert np.isinf(found.depth[~found.mask]).all() and (found.barycentrics[~found.mask] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_interpolated_positions_lie_on_the_ray_and_the_plane(seed: int) -> None:
    """Perspective-correct: the point at a pixel projects to that pixel's centre, at the depth
    that was given.
    """
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-1, 1, (3, 3)).astype(np.float32) * np.float32([2.5, 1, 1])  # strongly tilted
    faces = np.array([[0, 1, 2]], np.int32)
    size = 96
    found = rasterize(vertices, faces, orbit_poses(40.0, 20.0, RADIUS), FOV, size)
    rows, columns = np.nonzero(found.mask)
    assert len(rows) > 100
    points = interpolate(vertices, faces, found.face_ids[found.mask], found.barycentrics[found.mask])
    where, depth = project_points(points, orbit_poses(40.0, 20.0, RADIUS), FOV)
    assert np.abs(where * size - np.stack([columns, rows], axis=1) - 0.5).max() < 2e-3
    assert np.abs(depth - found.depth[found.mask]).max() < 1e-5
    assert np.abs(found.barycentrics[found.mask].sum(axis=1) - 1).max() < 1e-6


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 300))
def test_a_triangulated_square_covers_every_pixel_exactly_once(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    border = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    points = np.concatenate([border, rng.uniform(-1, 1, (count, 2))]) * 0.8
    # Some of the points share a row or a column exactly.
    points[4:] = np.where(rng.random((count, 1)) < 0.3, np.round(points[4:] * 8) / 8, points[4:])
    triangles = Delaunay(points).simplices.astype(np.int32)
    vertices = np.column_stack([np.zeros(len(points)), points]).astype(np.float32)
    size = 64
    pixels, inverse = project_to_pixels(vertices, FRONT, FOV, size)
    _, rows, columns = covered_pixels(pixels, inverse, triangles, size)
    times = np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)
    half = 0.8 * focal(size) / RADIUS
    centres = np.arange(size) + 0.5 - size / 2
    inside = np.abs(centres) < half
    assert np.array_equal(times, (inside[:, None] & inside).astype(int))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.5, 2.0]))
def test_twins_agree_pixel_by_pixel(seed: int, spread: float) -> None:
    pytest.importorskip("numba")
    vertices, faces = soup(seed, 200, spread)
    pose = orbit_poses(seed % 360, 25.0, RADIUS)
    plain = rasterize(vertices, faces, pose, FOV, 48)
    compiled = rasterize(vertices, faces, pose, FOV, 48, engine="numba")
    assert np.array_equal(plain.face_ids, compiled.face_ids)
    assert np.array_equal(plain.depth, compiled.depth)
    assert np.abs(plain.barycentrics - compiled.barycentrics).max() < 1e-6
    tensors = (torch.from_numpy(vertices), torch.from_numpy(faces), torch.from_numpy(pose))
    torch_ids = torch_twin.rasterize(*tensors, FOV, 48, engine="torch").face_ids.numpy()
    assert np.array_equal(torch_ids, plain.face_ids)


def test_the_nearer_triangle_is_seen_and_ties_go_to_the_lower_number() -> None:
    near, faces = square(0.5, (-0.3, -0.3), (0.3, 0.3))
    far, _ = square(-0.5, (-0.6, -0.6), (0.6, 0.6))
    found = rasterize(
        np.concatenate([far, near, near]), np.concatenate([faces, faces + 4, faces + 8]), FRONT, FOV, 32
    )
    assert set(np.unique(found.face_ids)) == {-1, 0, 1, 2, 3}
    assert found.face_ids[16, 16] in (2, 3)


def test_a_closed_mesh_has_no_holes_and_the_right_silhouette() -> None:
    vertices, faces = ball(0.7, 48)
    size = 200
    found = rasterize(vertices, faces, FRONT, FOV, size)
    area = np.pi * focal(size) ** 2 * 0.7**2 / (RADIUS**2 - 0.7**2)
    assert found.mask.sum() == pytest.approx(area, rel=6e-3)
    for line in (*found.mask, *found.mask.T):  # a ball's picture is convex: each line is one run
        assert np.abs(np.diff(line.astype(int))).sum() <= 2


def test_scale_and_offset_stretch_and_move_the_picture() -> None:
    vertices, faces = square(0.0, (-0.2, -0.2), (0.2, 0.2))
    small = rasterize(vertices, faces, FRONT, FOV, 64)
    moved = rasterize(vertices, faces, FRONT, FOV, 64, Window(offset=(0.25, -0.125)))
    assert np.array_equal(moved.mask, np.roll(small.mask, (-8, 16), axis=(0, 1)))
    double = rasterize(vertices * 2, faces, FRONT, FOV, 64)
    assert np.array_equal(rasterize(vertices, faces, FRONT, FOV, 64, Window(scale=2.0)).mask, double.mask)


def test_what_lies_behind_the_camera_is_left_out() -> None:
    vertices, faces = square(RADIUS + 1, (-1, -1), (1, 1))
    assert not rasterize(vertices, faces, FRONT, FOV, 16).mask.any()
    assert not rasterize(np.zeros((0, 3)), np.zeros((0, 3), np.int32), FRONT, FOV, 16).mask.any()


def test_unknown_engines_are_named() -> None:
    with pytest.raises(ConfigError, match="opengl"):
        rasterize(*square(0, (0, 0), (1, 1)), FRONT, FOV, 16, engine="opengl")  # type: ignore[arg-type]
