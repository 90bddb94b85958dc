"""Winding numbers against the plain sum of solid angles and analytic cases; volume IoU of solids
whose overlap is known.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from geco.errors import ConfigError, MeshError
from geco.metrics.volume import (
    carve,
    compare_volumes,
    grid_about,
    inside,
    solid_angle_winding,
    volume_iou,
    winding_numbers,
)
from tests.metrics.solids import box, chair, flipped, joined, sphere


def queries(count: int = 400, reach: float = 1.2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-reach, reach, (count, 3))


def open_box() -> tuple[np.ndarray, np.ndarray]:
    return box()[0], box()[1][2:]  # without the face at x = -0.5


@pytest.mark.parametrize("mesh", [box(), sphere(1.0, 24), chair(), open_box(), flipped(sphere(0.7, 12))])
def test_fast_winding_numbers_against_solid_angles(mesh: tuple[np.ndarray, np.ndarray]) -> None:
    exact = solid_angle_winding(queries(), *mesh)
    found = winding_numbers(queries(), *mesh)
    assert np.abs(found - exact).max() < 0.02  # the hierarchical approximation
    assert (np.abs(np.abs(exact) - 0.5) > 0.02).any() and (
        (np.abs(found) >= 0.5) == (np.abs(exact) >= 0.5)
    ).mean() > 0.99


def test_solid_angles_of_known_points() -> None:
    exact = solid_angle_winding([[0, 0, 0], [2, 0, 0], [0.5, 0.1, 0.1]], *box())
    assert exact[:2] == pytest.approx([1, 0], abs=1e-12)
    # five of a cube's six equal faces
    assert solid_angle_winding([[0, 0, 0]], *open_box()) == pytest.approx(5 / 6)
    assert solid_angle_winding([[0, 0, 0]], *flipped(box())) == pytest.approx(-1)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 0.95])
def test_concentric_spheres(ratio: float) -> None:
    assert volume_iou(sphere(ratio, 48), sphere(1.0, 48), resolution=48) == pytest.approx(ratio**3, abs=0.01)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 1.5])
def test_shifted_cubes(shift: float) -> None:
    overlap = max(1 - shift, 0)
    found = compare_volumes(box(center=(shift, 0, 0)), box(), resolution=32)
    assert found.iou == pytest.approx(overlap / (2 - overlap), abs=0.04)  # a layer of cells each way
    assert found.predicted == pytest.approx(1, rel=0.2) and found.cell == pytest.approx(
        (1 + shift) * 1.04 / 32
    )


def test_iou_does_not_depend_on_the_unit_or_the_order() -> None:
    first, second = chair(), sphere(0.5, 24)
    found = volume_iou(first, second, resolution=32)
    large = [(v * 37 + 5, f) for v, f in (first, second)]
    assert volume_iou(*large, resolution=32) == pytest.approx(found, abs=2e-3)
    assert (
        volume_iou(second, first, resolution=32) == found and volume_iou(first, first, resolution=32) == 1.0
    )


def test_what_happens_to_meshes_that_are_not_closed_or_turned() -> None:
    points = queries(4000, 0.6)
    whole = inside(points, *box())
    assert whole.unsure == 0 and np.array_equal(whole.mask, (np.abs(points) < 0.5).all(axis=1))
    assert np.array_equal(inside(points, *flipped(box())).mask, whole.mask)
    assert np.array_equal(inside(points, *joined(box(), box())).mask, whole.mask)  # doubled layers: w = 2
    cancelled = joined(box(), flipped(box()))  # two-sided: every face in both orientations, w = 0
    assert not inside(points, *cancelled).mask.any()
    assert np.array_equal(inside(points, *cancelled, method="auto").mask, carve(points, *cancelled))
    lost = inside(points, *open_box())
    # seen through one open side, half the sphere is left
    assert lost.unsure > 0.05 and np.array_equal(lost.mask, whole.mask)
    outside = np.abs(points).max(axis=1) > 0.5
    assert not inside(points, *open_box()).mask[outside].any()


def test_soups_whose_faces_turn_anywhere_are_carved() -> None:
    vertices, faces = sphere(1.0, 32)
    turned = np.random.default_rng(0).random(len(faces)) < 0.5
    soup = vertices, np.where(turned[:, None], faces[:, ::-1], faces)
    assert volume_iou(soup, sphere(1.0, 32), resolution=32) < 0.3  # the winding number is lost
    found = compare_volumes(soup, sphere(1.0, 32), resolution=32, method="auto")
    assert (
        found.iou > 0.94 and found.facts()["truth_method"] == "winding" and found.predicted_method == "carve"
    )


def test_carving_keeps_what_is_hidden_and_opens_what_is_seen() -> None:
    points, _ = grid_about(chair(), chair(), 48)
    exact, carved = inside(points, *chair()).mask, carve(points, *chair())
    assert (exact & carved).sum() / (exact | carved).sum() > 0.75
    nested = joined(sphere(1.0, 24), flipped(sphere(0.8, 24)))  # a hollow shell: only carving fills it
    assert not inside([[0, 0, 0]], *nested).mask[0] and carve([[0, 0, 0]], *nested)[0]


def test_nothing_enclosed_is_nan_and_nonsense_is_refused() -> None:
    sheet = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]), np.array([[0, 1, 2]])
    assert math.isnan(volume_iou(sheet, sheet))
    with pytest.raises(ConfigError):
        inside([[0, 0, 0]], *box(), method="guess")  # type: ignore[arg-type]
    with pytest.raises(MeshError):
        volume_iou((np.zeros((0, 3)), np.zeros((0, 3), int)), box())
