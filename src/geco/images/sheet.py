"""Six views as one picture of three rows and two columns, as Zero123++ lays them out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.errors import ConfigError

ROWS, COLUMNS = 3, 2  # Zero123++ (arXiv 2310.15110), section 2.2: view = row * 2 + column


def views_to_sheet(views: NDArray[Any]) -> NDArray[Any]:
    """(6, H, W, C) -> (3H, 2W, C), any number type; the one view of a model that draws none, its picture, is
    a sheet by itself.
    """
    if views.ndim == 4 and len(views) == 1:
        return np.ascontiguousarray(views[0])
    if views.ndim != 4 or len(views) != ROWS * COLUMNS:
        raise ConfigError(f"views of shape {views.shape} are no sheet", "Give (6, H, W, C).")
    _, height, width, channels = views.shape
    grid = views.reshape(ROWS, COLUMNS, height, width, channels)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(
        ROWS * height, COLUMNS * width, channels
    )


def sheet_to_views(sheet: NDArray[Any]) -> NDArray[Any]:
    """(3H, 2W, C) -> (6, H, W, C), any number type."""
    if sheet.ndim != 3 or sheet.shape[0] % ROWS or sheet.shape[1] % COLUMNS:
        raise ConfigError(
            f"a sheet of shape {sheet.shape} does not divide into 3 x 2 views", "Give (3H, 2W, C)."
        )
    height, width, channels = sheet.shape[0] // ROWS, sheet.shape[1] // COLUMNS, sheet.shape[2]
    grid = sheet.reshape(ROWS, height, COLUMNS, width, channels)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(
        ROWS * COLUMNS, height, width, channels
    )
