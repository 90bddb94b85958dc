"""Framing: the box lands where it is said to, no fringes, and places map back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.errors import ConfigError, InputImageError, OutputError
from geco.images import ZERO123PLUS_RATIO, cut_out, prepare
from tests.images.pictures import disc


def block(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """A red block (left, top, right, bottom) on transparent green."""
    rgba = np.zeros((height, width, 4), np.float32)
    rgba[..., 1] = 1
    rgba[box[1] : box[3], box[0] : box[2]] = (1, 0, 0, 1)
    return rgba


@settings(max_examples=40, deadline=None)
@given(
    left=st.integers(0, 60), top=st.integers(0, 60), width=st.integers(4, 60), height=st.integers(4, 60),
    size=st.sampled_from([32, 64, 97, 256]), ratio=st.floats(0.3, 1.0),
)  # fmt: skip
def test_the_box_is_centred_and_fills_its_ratio(
    left: int, top: int, width: int, height: int, size: int, ratio: float
) -> None:
    prepared = prepare(block(120, 120, (left, top, left + width, top + height)), size, ratio)
    scale = ratio * size / max(width, height)
    assert prepared.alpha.sum() == pytest.approx(width * height * scale**2, rel=0.12, abs=8)
    v, u = np.indices((size, size)) + 0.5
    assert (prepared.alpha * u).sum() / prepared.alpha.sum() == pytest.approx(size / 2, abs=0.3)
    assert (prepared.alpha * v).sum() / prepared.alpha.sum() == pytest.approx(size / 2, abs=0.3)
    start = 0.5 - ratio / 2 * np.array([width, height]) / max(width, height)
    np.testing.assert_allclose(start * prepared.side + [prepared.left, prepared.top], [left, top], atol=1e-3)


def test_no_fringe_of_hidden_or_background_colour() -> None:
    prepared = prepare(block(200, 200, (31, 40, 163, 171)), 57)
    # Over white, every pixel lies between red and white: the hidden green never shows, and nothing is darker
    # than red's share.
    np.testing.assert_allclose(prepared.rgb[..., 0], 1, atol=1e-5)
    np.testing.assert_allclose(prepared.rgb[..., 1], 1 - prepared.alpha, atol=1e-5)
    straight = prepared.rgba(91)
    seen = straight[..., 3] > 0.01
    seen |= (
        np.roll(seen, 1, axis=0)
        | np.roll(seen, -1, axis=0)
        | np.roll(seen, 1, axis=1)
        | np.roll(seen, -1, axis=1)
    )
    np.testing.assert_allclose(straight[seen][:, :3], np.broadcast_to([1, 0, 0], (seen.sum(), 3)), atol=1e-3)


def test_it_is_the_public_models_framing() -> None:
    # InstantMesh's resize_foreground on the same block: crop, pad to a square, pad to 1/0.85 of it.
    box = (30, 50, 110, 90)
    prepared = prepare(block(200, 160, box), 320)
    assert prepared.side == pytest.approx(80 / ZERO123PLUS_RATIO)
    columns = np.flatnonzero(prepared.alpha.max(axis=0) > 0.5)
    assert len(columns) == pytest.approx(0.85 * 320, abs=1)


@pytest.mark.parametrize("background", [1.0, 0.5, 0.0])
def test_background(background: float) -> None:
    prepared = prepare(block(64, 64, (20, 20, 40, 40)), 64, background=background)
    np.testing.assert_allclose(prepared.rgb[0, 0], background)
    np.testing.assert_allclose(prepared.rgb[32, 32], [1, 0, 0], atol=1e-5)


def test_enlarging_and_reducing_agree_with_the_shape() -> None:
    rgba = np.dstack([np.full((300, 300, 3), 0.3), disc(300, 0.4)]).astype(np.float32)
    for size in (24, 128, 700):
        expected = disc(size, 0.85 / 2)
        assert np.abs(prepare(rgba, size).alpha - expected).mean() < 0.012


def test_a_stray_almost_invisible_pixel_does_not_move_the_box() -> None:
    rgba = block(100, 100, (40, 40, 60, 60))
    rgba[2, 2] = (1, 1, 1, 0.02)
    assert prepare(rgba, 64).side == pytest.approx(20 / 0.85)


def test_bad_arguments() -> None:
    with pytest.raises(InputImageError, match="transparent"):
        prepare(np.zeros((20, 20, 4), np.float32), 32)
    with pytest.raises(ConfigError, match="ratio"):
        prepare(block(20, 20, (5, 5, 9, 9)), 32, foreground_ratio=1.5)


def test_save_steps(tmp_path: Path) -> None:
    prepared = prepare(cut_out(block(64, 80, (20, 20, 40, 40))), 48)
    paths = prepared.save_steps(tmp_path / "steps")
    assert sorted(path.name for path in paths) == ["alpha.png", "cutout.png", "prepared.png"]
    images = {path.name: Image.open(path) for path in paths}
    assert images["cutout.png"].mode == "RGBA" and images["cutout.png"].size == (80, 64)
    assert images["prepared.png"].size == (48, 48)
    np.testing.assert_array_equal(np.asarray(images["alpha.png"]), np.asarray(images["cutout.png"])[..., 3])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        prepared.save_steps(tmp_path / "file")
