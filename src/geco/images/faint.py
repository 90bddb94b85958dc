"""Objects hardly different from their plain background: white on white, found by their outline.

The flood of :mod:`geco.images.plain` takes what differs by a few levels for lighting. Where the background is
so even that a few levels mean something, an object's outline is a step, and lighting and soft shadows are
slopes: here the flood from the frame stops at steps, however low, and what it cannot reach is the object.
"""

from __future__ import annotations

import numpy as np

from geco.images.filters import box_mean, dilate, erode, largest, largest_around
from geco.images.regions import border_of, regions
from geco.types import Bools, Floats

# In sRGB units, for the working size of plain.WORK_SIDE; chosen on benchmarks/cutout.py, kind "pale".
BAND = 0.05  # of the shorter side: the frame whose noise is measured
LOWEST_STEP = 0.0025  # of a step of two levels of 255, a quarter is lost in the reduction; less is rounding
STEP_NOISE = 1.6  # times what the frame's own steps reach
LEAST_DIFFERENCE = 0.006
DIFFERENCE_NOISE = 1.3  # times what the frame's own differences reach
SUDDEN = 0.12  # of the difference reached a few pixels on: the foot of a slope is no step
REACH = 3  # pixels: the mean that a step is measured against
GAP = 3  # pixels: half the width of gaps in an outline that do not let the flood in
GAIN = 1.75  # how much larger than the ordinary cut the one by outline has to be to replace it
MARGIN = 5  # pixels around the ordinary cut that do not count for that
LEAST_DIFFERENT = 0.6  # of what it adds: the part that has to differ from the background
RIM = 0.8  # of a hole's rim: the part that has to be a step


def find_faint(image: Floats, framing: Floats, foreground: Bools) -> tuple[Bools | None, float]:
    """The object by its outline where the ordinary cut dropped most of it; None where that cut is as good.

    The second is the part of the object by its outline that the ordinary cut dropped, 0 to 1.

    Args:
        image: (3, H, W) float32 sRGB in [0, 1], slightly smoothed.
        framing: (3, H, W), the background as the picture's frame predicts it.
        foreground: (H, W) bool, the ordinary cut.
    """
    height, width = foreground.shape
    band = border_of(height, width, max(round(min(height, width) * BAND), 3))
    difference = largest(np.abs(image - framing))
    least = max(DIFFERENCE_NOISE * float(np.quantile(difference[band], 0.95)), LEAST_DIFFERENCE)
    differs = difference > least
    kept = int(foreground.sum())
    if int((differs | foreground).sum()) < GAIN * kept:
        return None, 0.0
    local = largest(np.abs(image - box_mean(image, REACH)))
    step = local > max(STEP_NOISE * float(np.quantile(local[band], 0.98)), LOWEST_STEP)
    step &= local > SUDDEN * largest_around(difference, 2 * REACH - 1)
    found = _within(step, differs)
    added = found & ~dilate(foreground, MARGIN)
    dropped = float(added.sum()) / max(kept + int(added.sum()), 1)
    if not found.any() or int(added.sum()) < (GAIN - 1) * kept:
        return None, dropped
    return (found | foreground if float(differs[added].mean()) > LEAST_DIFFERENT else None), dropped


def _within(step: Bools, differs: Bools) -> Bools:
    """What the flood from the frame cannot reach past steps, without the margin equal to the background."""
    wall = dilate(step, 1)  # in its very middle a step is as high as the mean
    core = erode(~wall, GAP)
    flooded = regions(core).touching(border_of(*step.shape) & core)
    flooded = dilate(flooded, GAP + 1) & ~step
    for _ in range(2 * REACH):
        flooded |= dilate(flooded, 1) & ~differs
    inside = ~flooded
    same = regions(inside & ~differs)
    for label in np.argsort(-same.sizes)[:8]:
        piece = same.labels == label
        if same.sizes[label] > 0.002 * inside.sum() and float(wall[dilate(piece, 2) & ~piece].mean()) > RIM:
            inside &= ~piece
    inside = dilate(erode(inside, 1), 1) & inside
    sizes = regions(inside)
    return sizes.at_least(0.02 * sizes.sizes.max()) if inside.any() else inside
