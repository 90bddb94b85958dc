"""Points on a surface: as many an area everywhere, on it, with its colours; and a camera brought nearer."""

from __future__ import annotations

import numpy as np
import pytest

from geco.mesh import Mesh
from geco.photo.input_camera import InputCamera
from geco.photo.look import nudged, overlap
from geco.photo.surface_points import surface_points
from tests.mesh import shapes


@pytest.mark.parametrize("level", [0, 4])  # faces far larger and far smaller than a point's share
def test_points_lie_evenly_on_the_surface_with_its_colours(level: int) -> None:
    ball = shapes.sphere(level, 0.8)
    ball.colors = (ball.vertices + 1) / 2
    found = surface_points(ball, 4000)
    assert found.colors is not None and abs(found.positions.shape[1] - 4000) < 10
    np.testing.assert_allclose(found.colors, (found.positions + 1) / 2, atol=1e-6)
    octants = np.bincount((found.positions > 0).T @ [1, 2, 4], minlength=8)
    assert octants.min() > 0.85 * 500 and octants.max() < 1.15 * 500


def test_the_same_mesh_has_the_same_points_and_a_flat_one_its_vertices() -> None:
    ball = shapes.sphere(2)
    np.testing.assert_array_equal(surface_points(ball).positions, surface_points(ball).positions)
    line = Mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    np.testing.assert_array_equal(surface_points(line).positions, line.vertices.T)


def test_a_camera_a_little_off_is_nudged_onto_the_outline() -> None:
    ball = shapes.sphere(4, 0.6)
    wanted = InputCamera(10.0, scale=1.1, offset=(0.03, -0.02)).rasterize(ball, 200).mask
    start = InputCamera(10.0)
    nearer = nudged(start, start.rasterize(ball, 200).mask, wanted)
    assert overlap(nearer.rasterize(ball, 200).mask, wanted) > 0.985
    assert nudged(start, np.zeros_like(wanted), wanted) == start
