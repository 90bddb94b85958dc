"""What CLIP's image processor does, on arrays: :mod:`geco.multiview.zero123plus.preprocess` without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from geco.types import Floats


def prepared(picture: Floats, about: Mapping[str, Any]) -> Floats:
    """picture (S, S, 3) in [0, 1] -> (1, 3, h, w) normalised, float32.

    Args:
        about: settings as the model's card has them: shortest, exact, crop, mean, std, resample.
    """
    target = about["exact"]
    if target is None and about["shortest"] is not None:
        height, width = picture.shape[:2]
        scale = about["shortest"] / min(height, width)
        short, long = about["shortest"], int(max(height, width) * scale)
        target = (short, long) if height <= width else (long, short)
    if target is not None and tuple(target) != picture.shape[:2]:
        levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        resized = Image.fromarray(levels).resize((target[1], target[0]), Image.Resampling(about["resample"]))
        picture = np.asarray(resized, np.float32) / np.float32(255)
    if about["crop"] is not None:
        height, width = about["crop"]
        top, left = ((a - b) // 2 for a, b in zip(picture.shape, (height, width)))
        picture = picture[top : top + height, left : left + width]
    mean, std = (np.asarray(about[key], np.float32) for key in ("mean", "std"))
    found: Floats = np.moveaxis((picture - mean) / std, -1, 0)[None].astype(np.float32)
    return np.ascontiguousarray(found)


def views_of(sheet: Floats) -> Floats:
    """(1, 3, 3 S, 2 S) -> (6, S, S, 3), row by row."""
    _, channels, height, width = sheet.shape
    grid = sheet.reshape(channels, 3, height // 3, 2, width // 2)
    return np.ascontiguousarray(grid.transpose(1, 3, 2, 4, 0).reshape(6, height // 3, width // 2, channels))
