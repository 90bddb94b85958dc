"""Normals: right on a sphere, the same on both sides of a seam, unit whatever the input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.mesh.normals import vertex_normals
from tests.mesh.shapes import box, sphere


def test_a_sphere_points_outwards() -> None:
    mesh = sphere(4)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    assert np.abs(normals - mesh.vertices / 0.8).max() < 0.01


def test_a_box_has_diagonal_normals_however_its_sides_are_cut() -> None:
    mesh = box()
    np.testing.assert_allclose(
        vertex_normals(mesh.vertices, mesh.faces), np.sign(mesh.vertices) / np.sqrt(3), atol=1e-6
    )


def test_seams_do_not_show() -> None:
    mesh = sphere(3)
    split = mesh.triangles.reshape(-1, 3)
    split[::7] = split[::7] * 1.0 - 0.0  # negative zeros count as zeros
    normals = vertex_normals(split, np.arange(len(split)).reshape(-1, 3))
    np.testing.assert_allclose(
        normals, vertex_normals(mesh.vertices, mesh.faces)[mesh.faces].reshape(-1, 3), atol=1e-6
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_always_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = (rng.integers(-2, 3, (20, 3)) * rng.choice([1e-20, 1e-3, 1.0, 1e6])).astype(np.float32)
    vertices[rng.random(20) < 0.1] = rng.choice([np.nan, np.inf])
    faces = rng.integers(0, 20, (30, 3))
    faces = np.concatenate([faces, faces[:10, ::-1]])  # sheets with two sides
    normals = vertex_normals(vertices, faces)
    assert normals.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)


def test_no_faces() -> None:
    np.testing.assert_array_equal(
        vertex_normals(np.zeros((2, 3), np.float32), np.zeros((0, 3), np.int32)), [[0, 0, 1]] * 2
    )
