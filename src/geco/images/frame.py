"""The background predicted from a picture's frame: a smooth surface through what agrees there."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from geco.types import Bools, Floats

# Thresholds in sRGB units, chosen on synthetic composites (tests/images) and fifteen photos at 384 pixels.
FRAME_TOLERANCE = 0.09  # how far a frame pixel may lie from the smooth model and still be background


def predict_from_frame(image: Floats) -> tuple[Floats, float]:
    """The background predicted from the picture's frame, and the part of the frame that is background."""
    height, width = image.shape[1:]
    thick = max(2, min(height, width) // 100)
    sides = [
        image[:, :thick].mean(axis=1),
        image[:, -thick:].mean(axis=1),
        image[:, :, :thick].mean(axis=2),
        image[:, :, -thick:].mean(axis=2),
    ]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    places = [
        (x, np.full_like(x, -1)),
        (x, np.full_like(x, 1)),
        (np.full_like(y, -1), y),
        (np.full_like(y, 1), y),
    ]
    color = np.concatenate(sides, axis=1)
    across = np.concatenate([place[0] for place in places])
    down = np.concatenate([place[1] for place in places])
    model = _robust_surface(color, across, down)
    inlier = np.abs(color - model).max(axis=0) < FRAME_TOLERANCE
    cuts = np.cumsum([width, width, height])
    cleaned = [
        _cleaned(side, base, good)
        for side, base, good in zip(sides, np.split(model, cuts, axis=1), np.split(inlier, cuts), strict=True)
    ]
    return _coons(*cleaned), float(inlier.mean())


def _robust_surface(color: Floats, x: Floats, y: Floats) -> Floats:
    """A quadratic colour surface through the largest agreeing part of the samples, evaluated at
    them; (3, N) -> (3, N).
    """
    bins = np.minimum((color * 12).astype(np.int64), 11)
    code = bins[0] * 144 + bins[1] * 12 + bins[2]
    counts = np.bincount(code, minlength=1728).reshape(12, 12, 12).astype(np.float32)
    wide = np.pad(counts, 1)
    near = sliding_window_view(wide, (3, 3, 3)).sum(axis=(3, 4, 5))
    top = np.array(np.unravel_index(int(np.argmax(near)), near.shape), np.float32)
    center = (top[:, None] + 0.5) / 12
    weight = (np.abs(color - center).max(axis=0) < 0.16).astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y])
    model = np.broadcast_to(center, color.shape)
    for count, tolerance in ((3, 0.16), (3, 0.14), (6, 0.12), (6, 0.1), (6, FRAME_TOLERANCE)):
        basis = terms[:count]
        # The ridge keeps the unseen part of a half-covered frame from bending away.
        normal = (basis * weight) @ basis.T + 0.002 * len(x) * np.diag([0, *[1.0] * (count - 1)])
        normal[0, 0] += 1e-3
        model = (np.linalg.solve(normal, (basis * weight) @ color.T).T @ basis).astype(np.float32)
        error = np.abs(color - model).max(axis=0) / tolerance
        weight = np.where(error < 1, (1 - error**2) ** 2, 0).astype(np.float32)
        if not weight.any():
            break
    return model.astype(np.float32)


def _cleaned(side: Floats, model: Floats, good: Bools) -> Floats:
    """One side of the frame (3, L) with the object's pixels replaced by the model plus what its
    good neighbours add to it.
    """
    if good.all():
        return side
    rest = side - model
    places = np.flatnonzero(good)
    if len(places) == 0:
        return model
    everywhere = np.arange(side.shape[1])
    rest = np.stack([np.interp(everywhere, places, channel[places]) for channel in rest]).astype(np.float32)
    return model + rest


def _coons(top: Floats, bottom: Floats, left: Floats, right: Floats) -> Floats:
    """The smooth surface through four sides (Coons 1967, bilinearly blended patch): follows
    horizons; (3, W|H) -> (3, H, W).
    """
    height, width = left.shape[1], top.shape[1]
    u = np.linspace(0, 1, width, dtype=np.float32)[None, None, :]
    v = np.linspace(0, 1, height, dtype=np.float32)[None, :, None]
    ruled = (
        (1 - v) * top[:, None, :]
        + v * bottom[:, None, :]
        + (1 - u) * left[:, :, None]
        + u * right[:, :, None]
    )
    a, b = (top[:, 0] + left[:, 0]) / 2, (top[:, -1] + right[:, 0]) / 2
    c, d = (bottom[:, 0] + left[:, -1]) / 2, (bottom[:, -1] + right[:, -1]) / 2
    upper, lower = (
        (1 - u) * a[:, None, None] + u * b[:, None, None],
        (1 - u) * c[:, None, None] + u * d[:, None, None],
    )
    return ruled - ((1 - v) * upper + v * lower)
