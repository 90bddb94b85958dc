"""Small image filters in plain numpy; planar arrays, so that every operation runs along contiguous rows."""

from __future__ import annotations

import numpy as np
from PIL import Image

from geco.types import Bools, Floats


def resize(
    planes: Floats,
    height: int,
    width: int,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
    box: tuple[float, float, float, float] | None = None,
) -> Floats:
    """(..., H, W) float32, or the ``box`` (left, top, right, bottom) of it -> (..., height, width).

    Pillow's filters widen when reducing, so nothing aliases.
    """
    flat = planes.reshape(-1, *planes.shape[-2:])
    out = np.empty((len(flat), height, width), np.float32)
    for source, target in zip(flat, out, strict=True):
        target[:] = np.asarray(
            Image.fromarray(np.ascontiguousarray(source, np.float32)).resize((width, height), resample, box)
        )
    return out.reshape(*planes.shape[:-2], height, width)


def box_mean(planes: Floats, radius: int) -> Floats:
    """Mean over (2 radius + 1)² windows, edge pixels repeated; (..., H, W) float32."""
    for axis in (-1, -2):
        width = [(0, 0)] * planes.ndim
        width[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(planes, width, mode="edge"), axis=axis, dtype=np.float32)
        length = planes.shape[axis]
        high = np.take(sums, range(2 * radius + 1, 2 * radius + 1 + length), axis=axis)
        planes = (high - np.take(sums, range(length), axis=axis)) * np.float32(1 / (2 * radius + 1))
    return planes


def largest(planes: Floats) -> Floats:
    """The largest of the three channels, (3, H, W) -> (H, W); faster than a reduction over so
    short an axis.
    """
    out = np.maximum(planes[0], planes[1])
    return np.maximum(out, planes[2], out=out)


def dot(a: Floats, b: Floats) -> Floats:
    """Sum over the three channels of a b, (3, H, W) -> (H, W)."""
    out = a[0] * b[0]
    out += a[1] * b[1]
    out += a[2] * b[2]
    return out


def gradient(planes: Floats) -> Floats:
    """|d/dx| + |d/dy| by central differences, each the largest of the three channels; (3, H, W)
    -> (H, W), 0 on the frame.
    """
    out = np.zeros(planes.shape[-2:], np.float32)
    across = planes[..., 2:] - planes[..., :-2]
    out[:, 1:-1] = largest(np.abs(across, out=across))
    down = planes[:, 2:] - planes[:, :-2]
    out[1:-1] += largest(np.abs(down, out=down))
    out *= 0.5
    return out


def dilate(mask: Bools, down: int, across: int | None = None) -> Bools:
    """Grow by a rectangle of (2 down + 1) x (2 across + 1), a square where ``across`` is left
    out; (H, W) bool.
    """
    # A rectangle is separable, and or-ing shifted copies beats Pillow's rank filter.
    grown = mask.copy()
    for step in range(1, down + 1):
        grown[step:] |= mask[:-step]
        grown[:-step] |= mask[step:]
    mask = grown.copy()
    for step in range(1, (down if across is None else across) + 1):
        mask[:, step:] |= grown[:, :-step]
        mask[:, :-step] |= grown[:, step:]
    return mask


def largest_around(plane: Floats, radius: int) -> Floats:
    """The largest value in a square of 2 ``radius`` + 1 pixels about each, (H, W)."""
    out = plane
    for axis in (0, 1):
        line, out = np.moveaxis(out, axis, 0), out.copy()
        grown = np.moveaxis(out, axis, 0)
        for step in range(1, radius + 1):
            np.maximum(grown[step:], line[:-step], out=grown[step:])
            np.maximum(grown[:-step], line[step:], out=grown[:-step])
    return out


def erode(mask: Bools, down: int, across: int | None = None) -> Bools:
    """Shrink by the same rectangle; outside the picture counts as inside; (H, W) bool."""
    return ~dilate(~mask, down, across)


def fill_smoothly(planes: Floats, weight: Floats) -> Floats:
    """Keep the pixels of weight 1 and fill the others from them, ever more smoothly with distance
    (pull-push).

    Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4. (C, H, W) values and (H, W) weights in [0, 1]
    -> (C, H, W).
    """
    height, width = weight.shape
    if height == 1 and width == 1:
        return planes
    high, wide = (height + 1) // 2, (width + 1) // 2
    weighted = np.zeros((len(planes) + 1, 2 * high, 2 * wide), np.float32)
    np.multiply(planes, weight, out=weighted[:-1, :height, :width])
    weighted[-1, :height, :width] = weight
    small = _quads(weighted)
    total = small[-1]
    mean: Floats = small[:-1] / total.clip(1e-6, None)
    coarse = fill_smoothly(mean, np.minimum(total, 1))
    spread = resize(coarse, 2 * high, 2 * wide)[:, :height, :width]
    return spread + (planes - spread) * weight


def continued(image: Floats, known: Bools) -> Floats:
    """The colours of the ``known`` pixels (H, W), continued smoothly over the others; (3, H, W)
    -> half the size.
    """
    height, width = known.shape
    weight = np.zeros((height + height % 2, width + width % 2), np.float32)
    weight[:height, :width] = known
    values = np.zeros((3, *weight.shape), np.float32)
    np.multiply(image, weight[:height, :width], out=values[:, :height, :width])
    total = _quads(weight)
    mean: Floats = _quads(values) / total.clip(1e-3, None)
    return fill_smoothly(mean, np.minimum(total, 1))


def _quads(planes: Floats) -> Floats:
    """Sums of 2 x 2 pixels; (..., 2H, 2W) -> (..., H, W)."""
    rows = planes[..., 0::2, :] + planes[..., 1::2, :]
    return rows[..., 0::2] + rows[..., 1::2]


def sample(planes: Floats, rows: Floats, columns: Floats) -> Floats:
    """Bilinear values of (C, H, W) at places in units of the picture's sides, (N,) in [0, 1] each
    -> (N, C).
    """
    height, width = planes.shape[1:]
    y = (rows * height - np.float32(0.5)).clip(0, height - 1)
    x = (columns * width - np.float32(0.5)).clip(0, width - 1)
    top, left = y.astype(np.int64), x.astype(np.int64)
    down, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    v, u = y - top, x - left
    upper = planes[:, top, left] * (1 - u) + planes[:, top, right] * u
    lower = planes[:, down, left] * (1 - u) + planes[:, down, right] * u
    return (upper * (1 - v) + lower * v).T


def guided_filter(guide: Floats, values: Floats, radius: int, epsilon: float) -> Floats:
    """Smooth ``values`` along the edges of a grey ``guide``, both (H, W) float32.

    He, Sun and Tang, "Guided Image Filtering", ECCV 2010, equations 5 to 8.
    """
    mean_guide, mean_values, corr, square = box_mean(
        np.stack([guide, values, guide * values, guide * guide]), radius
    )
    slope = (corr - mean_guide * mean_values) / (square - mean_guide * mean_guide + np.float32(epsilon))
    mean_slope, mean_offset = box_mean(np.stack([slope, mean_values - slope * mean_guide]), radius)
    return mean_slope * guide + mean_offset
