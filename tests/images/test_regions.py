"""Connected regions and filters against scipy and against what they must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from geco.images import filters
from geco.images.regions import border_of, fill_holes, regions

masks = hnp.arrays(bool, st.tuples(st.integers(3, 30), st.integers(3, 30)))


@settings(max_examples=80, deadline=None)
@given(mask=masks, diagonal=st.booleans())
def test_regions_are_scipys(mask: np.ndarray, diagonal: bool) -> None:
    found = regions(mask, diagonal=diagonal)
    labels, count = ndimage.label(mask, np.ones((3, 3)) if diagonal else None)
    assert len(found.sizes) == count + 1
    # Two labellings are the same partition when their pairs are one to one.
    pairs = np.unique(np.stack([labels.ravel(), found.labels.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(labels)) == len(np.unique(pairs[1]))
    np.testing.assert_array_equal(found.sizes[1:], np.bincount(found.labels.ravel(), minlength=count + 1)[1:])


@settings(max_examples=40, deadline=None)
@given(mask=masks)
def test_filled_holes_are_scipys(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))
    np.testing.assert_array_equal(fill_holes(mask, 0), mask)


def test_touching_and_size() -> None:
    mask = np.zeros((9, 9), bool)
    mask[0, :4] = mask[4:6, 4:6] = mask[8, 8] = True
    found = regions(mask)
    np.testing.assert_array_equal(
        found.touching(border_of(9, 9)), mask & (np.indices((9, 9))[0] != 4) & (np.indices((9, 9))[0] != 5)
    )
    assert found.at_least(4).sum() == 8


@settings(max_examples=40, deadline=None)
@given(mask=masks, down=st.integers(0, 2), across=st.integers(0, 2))
def test_dilate_and_erode_are_scipys(mask: np.ndarray, down: int, across: int) -> None:
    window = np.ones((2 * down + 1, 2 * across + 1))
    np.testing.assert_array_equal(filters.dilate(mask, down, across), ndimage.binary_dilation(mask, window))
    np.testing.assert_array_equal(
        filters.erode(mask, down, across), ndimage.binary_erosion(mask, window, border_value=1)
    )


def test_box_mean_is_scipys() -> None:
    planes = np.random.default_rng(0).random((2, 40, 31), np.float32)
    for radius in (1, 4):
        expected = ndimage.uniform_filter(planes, (1, 2 * radius + 1, 2 * radius + 1), mode="nearest")
        np.testing.assert_allclose(filters.box_mean(planes, radius), expected, atol=2e-6)


@pytest.mark.parametrize("shape", [(17, 30), (64, 64), (1, 9)])
def test_fill_smoothly_keeps_the_known_and_stays_within_them(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    planes = generator.random((3, *shape), np.float32)
    known = (generator.random(shape) < 0.3).astype(np.float32)
    known[0, 0] = 1
    filled = filters.fill_smoothly(planes, known)
    np.testing.assert_allclose(filled[:, known > 0], planes[:, known > 0], atol=1e-6)
    inside = planes[:, known > 0]
    assert (filled >= inside.min(axis=1)[:, None, None] - 1e-5).all() and (
        filled <= inside.max(axis=1)[:, None, None] + 1e-5
    ).all()
    flat = filters.fill_smoothly(np.full((1, *shape), 0.25, np.float32) * known, known)
    np.testing.assert_allclose(flat, 0.25, atol=1e-6)


def test_sample_is_exact_on_a_plane() -> None:
    v, u = (np.indices((20, 30), np.float32) + 0.5) / np.array([20, 30], np.float32)[:, None, None]
    plane = np.stack([2 * u - v, u + v])
    y, x = np.random.default_rng(0).uniform(0.1, 0.9, (2, 50)).astype(np.float32)
    np.testing.assert_allclose(filters.sample(plane, y, x), np.stack([2 * x - y, x + y], axis=1), atol=1e-5)


def test_guided_filter_keeps_an_edge_of_the_guide_and_removes_noise() -> None:
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    noisy = guide + np.random.default_rng(0).normal(0, 0.2, guide.shape).astype(np.float32)
    smooth = filters.guided_filter(guide, noisy, 4, 1e-3)
    assert np.abs(smooth - guide).mean() < 0.25 * np.abs(noisy - guide).mean()
    assert smooth[:, 21].mean() - smooth[:, 18].mean() > 0.9
