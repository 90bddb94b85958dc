"""Distances between surfaces against analytic cases and scipy's brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from geco.errors import MeshError
from geco.metrics.surface import THRESHOLDS, Distances, chamfer, distance_to_mesh, f_score
from geco.metrics.surface_samples import sample_surface
from tests.metrics.solids import box, joined, sphere


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), p=st.integers(1, 60), g=st.integers(1, 60), threshold=st.floats(0.01, 2))
def test_clouds_against_brute_force(seed: int, p: int, g: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(p, 3)), rng.normal(size=(g, 3))
    table = cdist(first, second)
    assert chamfer(first, second) == pytest.approx((table.min(1).mean() + table.min(0).mean()) / 2, rel=1e-12)
    assert chamfer(first, second) == pytest.approx(chamfer(second, first))
    precision, recall = (table.min(1) < threshold).mean(), (table.min(0) < threshold).mean()
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert f_score(first, second, threshold) == pytest.approx(expected)


def test_chamfer_is_not_squared_and_halved() -> None:
    assert chamfer([[0, 0, 0]], [[0, 0, 3]]) == 3.0
    assert chamfer([[0, 0, 0], [0, 0, 1]], [[0, 0, 0]]) == 0.25


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.2])
def test_concentric_spheres_lie_the_difference_of_their_radii_apart(radius: float) -> None:
    found = Distances.between_meshes(sphere(1.0, 128), sphere(radius, 128), count=5000)
    gap = abs(1 - radius)
    assert found.chamfer == pytest.approx(gap, abs=1e-3)
    assert found.f_score(gap * 1.02) == 1.0 and found.f_score(gap * 0.98) == 0.0


def test_equal_meshes_and_equal_clouds_differ_by_the_draw_alone() -> None:
    """Exact distances are 0; two draws of N points lie half the mean spacing apart: 0.5 sqrt(area / N)."""
    mesh, count = box(), 20_000
    assert Distances.between_meshes(mesh, mesh, count=1000).chamfer < 1e-7
    drawn = chamfer(sample_surface(*mesh, count=count, seed=0), sample_surface(*mesh, count=count, seed=1))
    assert drawn == pytest.approx(0.5 * np.sqrt(6 / count), rel=0.05)


def test_shifted_square_has_known_precision_and_recall() -> None:
    """Two unit squares, one shifted by 0.25 in its plane: a quarter of each has no partner, the
    furthest 0.25 away.
    """
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]]), np.array([[0, 1, 2], [0, 2, 3]])
    shifted = square[0] + [0.25, 0, 0], square[1]
    found = Distances.between_meshes(shifted, square, count=20_000)
    assert found.precision(1e-6) == pytest.approx(0.75, abs=0.005)
    assert found.recall(0.1) == pytest.approx(0.85, abs=0.005)
    assert found.chamfer == pytest.approx(0.25**2 / 2, rel=0.02)
    far = Distances.between_meshes((square[0] * [2, 1, 1], square[1]), square, count=20_000)
    assert far.precision(0.5) == pytest.approx(0.75, abs=0.01) and far.recall(0.5) == 1.0
    assert far.f_score(0.5) == pytest.approx(2 * 0.75 / 1.75, abs=0.01)


def test_points_are_spread_by_area_over_faces_of_any_size() -> None:
    tilted = joined(box((1, 1, 1)), box((0.1, 0.1, 0.1), (5, 0, 0)))
    points = sample_surface(*tilted, count=40_000, seed=3)
    assert (points[:, 0] > 4).mean() == pytest.approx(0.06 / 6.06, abs=2e-3)
    first = points[:5000]  # any part of the points is spread as well as all of them
    assert (first[first[:, 0] < 4].mean(axis=0) == pytest.approx([0, 0, 0], abs=0.02)) and distance_to_mesh(
        points, *tilted
    ).max() < 1e-7
    triangle = sample_surface([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], count=20_000)
    assert triangle.mean(axis=0) == pytest.approx([1 / 3, 1 / 3, 0], abs=5e-3)
    assert (triangle[:, 0] < 0.5).mean() == pytest.approx(0.75, abs=0.01)


def test_the_seed_decides_the_points() -> None:
    mesh = sphere(1.0, 16)
    assert np.array_equal(sample_surface(*mesh, count=50, seed=1), sample_surface(*mesh, count=50, seed=1))
    assert not np.array_equal(
        sample_surface(*mesh, count=50, seed=1), sample_surface(*mesh, count=50, seed=2)
    )


def test_visible_points_leave_out_inner_layers_and_keep_all_of_the_outside() -> None:
    nested = joined(sphere(1.0, 48), sphere(0.6, 48))
    radii = np.linalg.norm(sample_surface(*nested, count=4000), axis=1)
    assert (radii < 0.7).mean() == pytest.approx(0.36 / 1.36, abs=0.01)
    seen = sample_surface(*nested, count=4000, visible_only=True)
    assert len(seen) == 4000 and np.linalg.norm(seen, axis=1).min() > 0.99
    assert (np.abs(seen.mean(axis=0)) < 0.05).all()  # no side is missing
    outside = Distances.between_meshes(nested, sphere(1.0, 48), count=2000, visible_only=True)
    assert outside.chamfer < 1e-6 < Distances.between_meshes(nested, sphere(1.0, 48), count=2000).chamfer


def test_named_scores_do_not_depend_on_the_frame() -> None:
    found = Distances.between_meshes(sphere(0.48), sphere(0.5), count=2000)
    larger = Distances.between_meshes(sphere(4.8), sphere(5.0), count=2000)
    small, large = found.scores(side=1.0), larger.scores(side=10.0)
    assert set(small) == {"chamfer", *(t.name for t in THRESHOLDS)} and len(small) == 1 + len(THRESHOLDS)
    assert small == pytest.approx(large, abs=1e-9)
    assert small["f@1%"] == 0 and small["f@5%"] == 1 == small["sf3d-f@0.1"]


@pytest.mark.parametrize("vertices", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_meshes_without_area_are_refused(vertices: np.ndarray) -> None:
    with pytest.raises(MeshError):
        sample_surface(vertices, [[0, 1, 2]], count=10)
