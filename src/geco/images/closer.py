"""A small object of a large picture: where it is, and the part around it in full resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geco.errors import InputImageError
from geco.images.filters import dilate, largest, resize
from geco.images.load import Picture
from geco.images.plain import PlainBackground
from geco.images.regions import regions
from geco.types import Bools, Floats

SMALL = 0.3  # of the longer side: a longer object has pixels enough in the reduced picture
COVERED = 0.05  # of the picture: a plain background that leaves more than that has found its object
LEAST_TRACE = 0.08  # sRGB: the least difference from the background
OUTSTANDING = 2.0  # times the difference that all but a fiftieth of the picture stays below
BESIDE = 0.25  # of the strongest trace: weaker ones are dust
MOST_TRACES = 12  # more than that are a pattern, not an object


def trace(rgb: Floats, plain: PlainBackground) -> Bools | None:
    """Where a small object lies before a plain background, (H, W) bool, even if it has a few pixels only.

    Args:
        rgb: (H, W, 3) float32 sRGB in [0, 1].
        plain: what was found at the working size.
    """
    if float(plain.foreground.mean()) > COVERED:
        return None
    height, width = rgb.shape[:2]
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    difference = largest(np.abs(planes - resize(plain.background, height, width)))
    usual = float(np.quantile(difference[::2, ::2], 0.98))
    seen = difference > max(LEAST_TRACE, OUTSTANDING * usual)
    found = regions(dilate(seen, 2), diagonal=True)
    strength = (difference * seen).ravel()
    weights = np.bincount(found.labels.ravel(), weights=strength, minlength=len(found.sizes))
    weights[0] = 0
    strong = weights > BESIDE * weights.max()
    if not 1 <= strong.sum() <= MOST_TRACES:
        return None
    return np.asarray(strong[found.labels] & seen)


def part_around(picture: Picture, mask: Bools, margin: float) -> Picture | None:
    """The part of the picture around ``mask`` (H, W), at its own resolution.

    None where nothing is there, or it is so large that it is seen well already.

    Args:
        margin: beside it on each side, in units of its longer side.
    """
    if not mask.any():
        return None
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    longer = max(bottom - top, right - left)
    if longer > SMALL * max(height, width):
        return None
    free = max(margin * longer, 3)
    part = (
        max(left - free, 0) / width,
        max(top - free, 0) / height,
        min(right + free, width) / width,
        min(bottom + free, height) / height,
    )
    try:
        return picture.part(*part)
    except InputImageError:  # damaged, or too much for the memory, in full resolution only
        return replace(picture, source=None).part(*part)
