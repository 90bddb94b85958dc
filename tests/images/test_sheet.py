"""Sheets of views: exact round trips, and where each view lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geco.errors import ConfigError
from geco.images import sheet_to_views, views_to_sheet


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
