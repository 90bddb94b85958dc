"""Augmentations: the lens goes with the crop, objects stay whole, colours change as told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geco.cameras import orbit_poses
from geco.data.dataset import Augmentation, over
from geco.data.dataset.augment import WHITE, brighten, crop, kept_whole
from geco.data.render import lens
from geco.errors import ConfigError
from geco.images import over_white
from tests.data.dots import centre, picture, project

RED = np.array([200, 30, 10], np.uint8)
LENS = lens(30.0, 1)[0]


@given(
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
    st.floats(0.5, 2.0),
    st.floats(-0.2, 0.2),
    st.floats(-0.2, 0.2),
    st.floats(0, 360),
    st.floats(-60, 60),
)
def test_a_point_of_the_world_stays_on_its_pixel(
    point: tuple[float, ...], zoom: float, right: float, down: float, azimuth: float, elevation: float
) -> None:
    pose = orbit_poses([azimuth], [elevation], 4.0)
    before = picture(project(np.array(point), pose, LENS[None])[0][0], RED, 48)
    zoom, right, down = kept_whole(before, zoom, right, down)
    after, moved = crop(before, LENS, zoom, right, down)
    assert after.shape == before.shape and after.dtype == np.uint8
    np.testing.assert_allclose(
        centre(after), project(np.array(point), pose, moved[None])[0][0], atol=0.25 / 48
    )


def test_an_untouched_crop_is_the_picture_and_a_whole_shift_moves_its_pixels() -> None:
    before = picture(np.array([0.4, 0.6]), RED)
    after, moved = crop(before, LENS, 1.0)
    np.testing.assert_array_equal(over_white(after), over_white(before))
    np.testing.assert_array_equal(moved, LENS)
    after, moved = crop(before, LENS, 1.0, 3 / 32, -2 / 32)
    np.testing.assert_allclose(
        over_white(after), np.roll(over_white(before), (-2, 3), axis=(0, 1)), atol=1 / 255
    )
    np.testing.assert_allclose(moved - LENS, [0, 3 / 32, -2 / 32], atol=1e-6)


@given(st.floats(0.1, 3.0), st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.integers(0, 2**31))
def test_objects_stay_whole(zoom: float, right: float, down: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (left, end), (top, low) = np.sort(rng.choice(33, (2, 2), replace=False), axis=1)
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[top:low, left:end] = 255
    zoom, right, down = kept_whole(rgba, zoom, right, down)
    edges = (np.array([[left, top], [end, low]]) / 32 - 0.5) * zoom + 0.5 + [right, down]
    assert edges.min() >= -1e-9 and edges.max() <= 1 + 1e-9


def test_kept_whole_leaves_what_fits_alone() -> None:
    rgba = picture(np.array([0.5, 0.5]), RED)
    assert kept_whole(rgba, 1.5, 0.1, -0.2) == (1.5, 0.1, -0.2)
    assert kept_whole(np.zeros_like(rgba), 3.0, 0.9, 0.0) == (3.0, 0.9, 0.0)


def test_transparent_surroundings_do_not_bleed_into_colours() -> None:
    before = picture(np.array([0.5, 0.5]), RED)
    after, _ = crop(before, LENS, 1.37, 0.013, 0.02)
    solid = after[..., 3] > 30
    assert np.abs(after[solid][:, :3].astype(int) - RED).max() <= 1


def test_brightness_changes_colours_and_not_alpha() -> None:
    before = picture(np.array([0.5, 0.5]), RED)
    after = brighten(before, 1.5)
    np.testing.assert_array_equal(after[..., 3], before[..., 3])
    np.testing.assert_array_equal(after[16, 16, :3], [255, 45, 15])


def test_draws_stay_in_their_ranges_and_cover_them() -> None:
    before = picture(np.array([0.5, 0.5]), RED)
    augmentation = Augmentation((0.8, 1.25), 0.03, (0.9, 1.1), background=0.5)
    drawn = [augmentation.condition(before, LENS, np.random.default_rng(seed)) for seed in range(300)]
    zooms = np.array([result[1][0] for result in drawn]) / LENS[0]
    shifts = np.array([result[1][1:] for result in drawn]) - 0.5
    gains = np.array([result[0][16, 16, 0] for result in drawn]) / 200
    assert 0.8 <= zooms.min() < 0.85 and 1.2 < zooms.max() <= 1.2501
    assert -0.03 <= shifts.min() < -0.028 and 0.028 < shifts.max() <= 0.0301
    assert 0.89 <= gains.min() < 0.92 and 1.08 < gains.max() <= 1.11
    plain = np.mean([np.array_equal(result[2], WHITE) for result in drawn])
    assert 0.4 < plain < 0.6
    again = augmentation.condition(before, LENS, np.random.default_rng(7))
    assert all(np.array_equal(a, b) for a, b in zip(again, drawn[7]))


def test_without_ranges_nothing_changes() -> None:
    before = picture(np.array([0.3, 0.5]), RED)
    rgba, moved, behind = Augmentation().condition(before, LENS, np.random.default_rng(0))
    assert rgba is before and moved is LENS and behind is WHITE


def test_backgrounds_reach_the_other_pictures_when_asked() -> None:
    color = np.array([0.1, 0.2, 0.3], np.float32)
    assert Augmentation(background=1.0).others(color) is WHITE
    assert Augmentation(background=1.0, same_background=True).others(color) is color


def test_over() -> None:
    rgba = np.array([[255, 0, 0, 255], [9, 9, 9, 0], [0, 0, 0, 51]], np.uint8)
    np.testing.assert_allclose(over_white(rgba), [[1, 0, 0], [1, 1, 1], [0.8, 0.8, 0.8]], atol=1e-6)
    pictures = np.broadcast_to(rgba, (2, 4, 3, 4))
    behind = np.array([[1, 1, 1], [0, 0.5, 1]], np.float32)
    result = over(pictures, behind)
    np.testing.assert_allclose(result[0, 0], over_white(rgba), atol=1e-6)
    np.testing.assert_allclose(result[1, 2], [[1, 0, 0], [0, 0.5, 1], [0, 0.4, 0.8]], atol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"crop": (0.0, 1.0)}, {"brightness": (1.2, 1.0)}, {"background": 1.5}, {"shift": -0.1}]
)
def test_wrong_ranges_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Augmentation(**wrong)  # type: ignore[arg-type]
