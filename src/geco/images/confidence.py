"""How likely a cut-out is right, and in words what speaks against it.

A logistic formula over what can be seen of a cut-out without its truth, fitted by ``benchmarks/cutout.py``
to renders over backgrounds of nine kinds, one set of weights a method. "Right" there: at most a tenth of
the union of both masks is wrong by more than a pixel.
"""

from __future__ import annotations

import numpy as np

from geco.images.filters import box_mean, dilate, erode, gradient, largest, resize
from geco.images.regions import border_of, regions
from geco.types import Bools, Floats

SIDE = 192  # pixels of the longer side that everything is measured at
BAND = 4  # pixels on both sides of the outline whose mean colours are compared
DOUBTFUL = 0.4  # below it the cut-out is called doubtful; see docs/cutouts.md for what that catches
MOST_DROPPED = 0.5  # of the object by its outline: more than that lost is a doubt of its own
DROPPED = 0.25  # the most that is believed then

# In the order of :func:`features`.
NAMES = ("weak", "edges", "contrast", "rough", "touch", "thin", "many", "off", "area", "decided")
WEIGHTS: dict[str, tuple[float, ...]] = {
    "plain": (1.67, 3.14, -2.69, -0.8, -16.25, -3.48, -2.69, -1.49, -0.4, 0.0),
    "builtin": (0.16, 0.85, -0.05, -0.71, -30.95, -8.95, -3.71, -8.21, -2.08, 6.31),
    "grabcut": (0.54, 1.05, -0.7, -0.48, 0.0, -2.38, -5.55, -5.75, -0.9, 0.0),
}
BIAS = {"plain": 7.78, "builtin": -5.97, "grabcut": 3.83}
# What cut-outs that are right look like (means of the benchmark), to say what is unlike that.
USUAL = (-2.9, -2.1, -1.3, -5.3, 0.0, 0.24, 0.7, 0.12, -2.2, 0.96)
REASONS = {
    "weak": "parts of its outline hardly differ from the background",
    "edges": "its outline hardly differs from the background",
    "contrast": "its outline is soft, perhaps a shadow's",
    "rough": "the background is not plain",
    "touch": "the object touches the frame",
    "thin": "nothing but thin pieces is left",
    "many": "it is in several pieces",
    "off": "it is far from the middle",
    "area": "it is a strange part of the picture",
    "decided": "the colours of object and background overlap",
}
LOST = "most of what differs from the background was dropped"


def judge(
    method: str,
    image: Floats,
    mask: Bools,
    decided: float = 1.0,
    dropped: float = 0.0,
) -> tuple[float, str | None]:
    """The confidence of a cut-out, 0 to 1, and the reason where it is doubtful.

    Args:
        method: one of :data:`WEIGHTS`.
        image: (3, H, W) float32 sRGB in [0, 1], the picture at a working size.
        mask: (h, w) bool, the object, at any size.
        decided: of the built-in method, how decided the colours were.
        dropped: of a plain background, see :func:`geco.images.faint.find_faint`.
    """
    weights, seen = np.array(WEIGHTS[method]), np.array([*features(image, mask), decided])
    odds = float(weights @ seen) + BIAS[method]
    confidence = float(1 / (1 + np.exp(-np.clip(odds, -20, 20))))
    if dropped > MOST_DROPPED:
        return min(confidence, DROPPED), LOST
    if confidence >= DOUBTFUL:
        return confidence, None
    against = weights * (seen - np.array(USUAL))
    return confidence, REASONS[NAMES[int(against.argmin())]]


def features(image: Floats, mask: Bools) -> list[float]:
    """What :data:`NAMES` stand for, but for the last:

    log of the gradient across the outline, its weakest fifth and its median; log of the colour difference
    across it; log of the background's gradient; the part of the frame it covers; the part of it that is no
    wider than four pixels; log of the number of its pieces plus 1; its centre's distance from the
    picture's, in sides; log of its part of the picture.
    """
    scale = min(1.0, SIDE / max(image.shape[1:]))
    height, width = (max(round(side * scale), 8) for side in image.shape[1:])
    small, inside = resize(image, height, width), resize(mask.astype(np.float32), height, width) > 0.5
    slope, outline = gradient(small), dilate(inside, 1) & ~erode(inside, 1)
    outside = ~dilate(inside, 2)
    if not inside.any() or not outside.any():
        return [-6.0, -6.0, -5.0, -1.0, 1.0, 1.0, 0.0, 0.5, 0.0]
    across = slope[outline]
    rows, columns = np.nonzero(inside)
    off = np.hypot(rows.mean() / height - 0.5, columns.mean() / width - 0.5)
    pieces = regions(inside, diagonal=True).sizes
    return [
        float(np.log(np.quantile(across, 0.2) + 0.003)),
        float(np.log(np.median(across) + 0.003)),
        float(np.log(_contrast(small, inside, outline) + 0.01)),
        float(np.log(np.median(slope[outside]) + 0.003)),
        float(inside[border_of(height, width)].mean()),
        1 - float(erode(inside, 2).sum() / inside.sum()),
        float(np.log((pieces > max(0.02 * pieces.max(), 3)).sum() + 1)),
        float(off),
        float(np.log(inside.mean() + 1e-4)),
    ]


def _contrast(image: Floats, inside: Bools, outline: Bools) -> float:
    """Median over the outline of the difference of the mean colours just inside and just outside of it."""
    near, beside = inside & ~erode(inside, BAND), dilate(inside, BAND) & ~dilate(inside, 1)
    planes = np.concatenate([image * near, near[None], image * beside, beside[None]])
    sums = box_mean(planes.astype(np.float32), BAND)
    known = outline & (sums[3] > 0) & (sums[7] > 0)
    if not known.any():
        return 0.0
    difference = sums[:3, known] / sums[3, known].clip(1e-4) - sums[4:7, known] / sums[7, known].clip(1e-4)
    return float(np.median(largest(np.abs(difference))))
