"""Small maps over the picture: distance to an outline, sampling, blurring. numpy and Pillow only
(no scipy in the base install).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from geco.types import Bools, Floats


def signed_distance(mask: Bools, reach: int | None = None) -> Floats:
    """(N, N) exact Euclidean distance in pixels to the mask's edge, positive inside; all inside or outside
    gives +-2 N.

    Args:
        reach: distances beyond so many pixels are given as so many; None: none are.
    """
    most = np.float32(2.0 * len(mask) if reach is None else reach)
    if mask.all() or not mask.any():
        return np.full(mask.shape, most * (1 if mask.all() else -1), np.float32)
    # Half a pixel: the edge lies between the last pixel inside and the first one outside.
    found = np.where(mask, _distance_to(~mask, reach) - 0.5, 0.5 - _distance_to(mask, reach))
    return np.clip(found, -most, most).astype(np.float32)


def _distance_to(mask: Bools, reach: int | None) -> Floats:
    """(N, N) distance of every pixel to the nearest True: along columns by running positions, then the best
    of each row within reach.
    """
    size = len(mask)
    at = np.arange(size, dtype=np.float32)[:, None]
    far = np.float32(4 * size)
    above = np.maximum.accumulate(np.where(mask, at, -far), axis=0)
    below = np.minimum.accumulate(np.where(mask, at, far)[::-1], axis=0)[::-1]
    vertical = np.minimum(at - above, below - at) ** 2  # (row, column)
    nearest = vertical.copy()
    for step in range(1, min(reach or size, size - 1) + 1):
        square = np.float32(step * step)
        np.minimum(nearest[:, step:], vertical[:, :-step] + square, out=nearest[:, step:])
        np.minimum(nearest[:, :-step], vertical[:, step:] + square, out=nearest[:, :-step])
    return np.sqrt(nearest)


def resized(rgba: Floats, size: int) -> Floats:
    """(S, S, 4) -> (size, size, 4) by area, colours multiplied by alpha so that clear pixels lend none."""
    weighted = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=2)
    if len(rgba) == size:
        return weighted
    channels = [
        Image.fromarray(np.ascontiguousarray(weighted[..., k])).resize((size, size), Image.Resampling.BOX)
        for k in range(4)
    ]
    return np.stack([np.asarray(channel, np.float32) for channel in channels], axis=-1)


def enlarged(image: Floats, factor: int) -> Floats:
    """(N, N) -> (factor N, factor N), corner pixels kept in the corners, bilinear between."""
    size = len(image)
    at = np.linspace(0, size - 1, size * factor, dtype=np.float32)
    low = np.minimum(at.astype(np.int32), size - 2)
    part = at - low
    rows = image[low] + (image[low + 1] - image[low]) * part[:, None]
    return np.asarray(rows[:, low] + (rows[:, low + 1] - rows[:, low]) * part, np.float32)


def bilinear(image: Floats, column: Floats, row: Floats) -> Floats:
    """(S, S, C) at N places inside it: (C, N)."""
    size = len(image)
    left, top = (np.minimum(place.astype(np.intp), size - 2) for place in (column, row))
    across, down = (column - left).astype(np.float32), (row - top).astype(np.float32)
    corner = top * size + left
    rows = []
    flat = image.reshape(size * size, -1)
    for first in (corner, corner + size):
        one, two = (np.ascontiguousarray(flat.take(at, axis=0).T) for at in (first, first + 1))
        two -= one
        two *= across
        rows.append(one + two)
    rows[1] -= rows[0]
    rows[1] *= down
    return np.asarray(rows[0] + rows[1], np.float32)


def blurred(values: Floats | Bools) -> Floats:
    """3 x 3 box filter, edges repeated."""
    padded = np.pad(np.asarray(values, np.float32), 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 9), np.float32)
