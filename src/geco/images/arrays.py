"""numpy arrays as pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geco.errors import InputImageError
from geco.images.color import to_bytes
from geco.images.opened import check_pixels
from geco.types import Bytes, Floats

STRIP_PIXELS = 1_000_000  # made float at a time


def from_array(array: NDArray[np.generic], label: str, max_side: int) -> Floats | Image.Image:
    """Numbers -> (H, W, 4) float32 in [0, 1]; or, where a side is above ``max_side``, an 8-bit image to be
    reduced.

    Args:
        array: (H, W) or (H, W, C): grey, grey and alpha, RGB or RGBA for C of 1 to 4; uint8, uint16, bool, or
            float in [0, 1].

    Raises:
        InputImageError: another shape or type, numbers outside their range, more than 64 megapixels.
    """
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise InputImageError(
            f"{label} has shape {array.shape}", "Give (H, W), or (H, W, C) with 1 to 4 channels."
        )
    check_pixels(array.shape[1], array.shape[0], label)
    if array.size and max(array.shape[:2]) > max_side:
        return Image.fromarray(_bytes(array, label))
    values = _unit(array, label)
    channels = values.shape[2]
    color = values[..., :3] if channels >= 3 else values[..., :1].repeat(3, axis=2)
    alpha = values[..., -1:] if channels in (2, 4) else np.ones_like(values[..., :1])
    return np.concatenate([color, alpha], axis=2)


def _unit(array: NDArray[np.generic], label: str) -> Floats:
    """Any type of number -> float32 in [0, 1]."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size <= 2:
        return array.astype(np.float32) / np.float32(255 if size == 1 else 65535)
    if kind == "b":
        return array.astype(np.float32)
    if kind != "f":
        raise InputImageError(
            f"{label} has type {array.dtype}", "Give uint8, uint16, bool, or float in [0, 1]."
        )
    values = array.astype(np.float32)
    if not np.isfinite(values).all() or values.min(initial=0) < -0.01 or values.max(initial=0) > 1.01:
        raise InputImageError(f"{label} of floats leaves [0, 1]", "Scale it to [0, 1], or give uint8.")
    return values.clip(0, 1)


def _bytes(array: NDArray[np.generic], label: str) -> Bytes:
    """As :func:`_unit`, times 255, a strip at a time: a large array needs a quarter of its
    floats' memory; (H, W) for grey.
    """
    out = np.empty(array.shape, np.uint8)
    rows = max(STRIP_PIXELS // array.shape[1], 1)
    for top in range(0, len(array), rows):
        out[top : top + rows] = to_bytes(_unit(array[top : top + rows], label))
    return out[..., 0] if array.shape[2] == 1 else out
