"""Thin pictures: how thick their parts are, how fine a grid they need, and what is widened for it."""

from __future__ import annotations

import numpy as np
import pytest

from geco.photo.input_camera import InputCamera
from geco.photo.maps import signed_distance
from geco.photo.thin import FINEST, mean_thickness, needed_resolution, widened, widest_near

SIZE = 384


def bar(width: int, angle: float = 0.0) -> np.ndarray:
    """(SIZE, SIZE) a bar right across, turned by degrees."""
    row, column = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
    across = row * np.cos(np.radians(angle)) + column * np.sin(np.radians(angle))
    return (np.abs(across) <= width / 2) & (np.hypot(row, column) < 150)


def opaque(mask: np.ndarray) -> np.ndarray:
    """(S, S, 4) black where the mask is."""
    return np.concatenate([np.zeros((*mask.shape, 3)), mask[..., None]], axis=2).astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 70.0])
@pytest.mark.parametrize("width", [6, 20])
def test_a_bar_is_as_thick_as_it_is(width: int, angle: float) -> None:
    # The bar is 300 long, so its ends count a little; steps overstate a level outline by 4 / pi.
    assert mean_thickness(bar(width, angle)) == pytest.approx(width, rel=0.3)


def test_only_a_thin_picture_asks_for_a_finer_grid() -> None:
    camera = InputCamera(0.0, scale=1.2)
    disc = np.hypot(*(np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2)) < 150
    assert needed_resolution(opaque(disc), camera, 1.07, 64) == 64
    needed = [needed_resolution(opaque(bar(width)), camera, 1.07, 64) for width in (30, 20, 10, 3)]
    assert needed == sorted(needed) and needed[0] > 64 and needed[-1] == 64 * FINEST
    assert needed_resolution(opaque(np.zeros((SIZE, SIZE), bool)), camera, 1.07, 64) == 64


def test_hairs_are_widened_and_thick_parts_and_corners_are_not() -> None:
    mask = bar(40)
    mask[20:360, 100:102] = True  # a hair
    picture, inside = widened(opaque(mask), 5.0)
    hair = (inside > 0)[60]
    assert 9 <= hair.sum() <= 12 and hair[95:106].sum() == hair.sum()
    before = signed_distance(mask)
    far = np.ones(mask.shape, bool)
    far[:, 85:117] = False
    assert np.array_equal((inside > 0)[far], mask[far])
    assert np.allclose(inside[far & (before > 0)], before[far & (before > 0)], atol=1.0)
    assert (picture[..., 3][inside > 0] == 1).all()


def test_the_widest_part_nearby_is_found() -> None:
    inside = np.zeros((20, 20), np.float32)
    inside[10, 10] = 3
    near = widest_near(inside, 2)
    assert (near[8:13, 8:13] == 3).all() and near.sum() == 3 * 25
