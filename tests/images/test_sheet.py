"""Sheets of views: exact round trips, and where each view lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geco.errors import ConfigError
from geco.images import contact_sheet, sheet_to_views, views_to_sheet


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 4),
    kind=st.sampled_from([np.uint8, np.float32, np.float16]),
)
def test_round_trip(height: int, width: int, channels: int, kind: type) -> None:
    views = np.random.default_rng(0).integers(0, 255, (6, height, width, channels)).astype(kind)
    sheet = views_to_sheet(views)
    assert sheet.shape == (3 * height, 2 * width, channels) and sheet.dtype == kind
    np.testing.assert_array_equal(sheet_to_views(sheet), views)
    for view in range(6):
        row, column = divmod(view, 2)
        part = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        np.testing.assert_array_equal(part, views[view])


def test_wrong_shapes_are_refused() -> None:
    for call in (
        lambda: views_to_sheet(np.zeros((5, 4, 4, 3))),
        lambda: sheet_to_views(np.zeros((10, 4, 3))),
    ):
        with pytest.raises(ConfigError):
            call()


def test_contact_sheet_shows_every_picture() -> None:
    red = np.broadcast_to(np.array([1.0, 0, 0], np.float32), (10, 20, 3))
    clear = np.zeros((8, 8, 4), np.uint8)
    sheet = contact_sheet(
        [("first", [red, None]), ("second", [clear, Image.new("L", (300, 300), 7)])],
        ["input", "mesh"],
        cell=64,
    )
    assert sheet.mode == "RGB" and sheet.width > 128 and sheet.height > 128
    pixels = np.asarray(sheet).reshape(-1, 3)
    assert (pixels == (255, 0, 0)).all(axis=1).sum() == 64 * 32
    assert (pixels == (7, 7, 7)).all(axis=1).sum() >= 60 * 60
    assert (pixels == (205, 205, 205)).all(axis=1).any()  # the checkerboard behind alpha
    assert contact_sheet([]).size[0] > 0
