"""A plain background: recognised from the picture's frame, flooded from there, seen through holes, shadows
included.

The background may have any colour, a gradient, a horizon between floor and wall, soft shadows and noise; it
has to be smooth and to surround most of the object. Steps: a smooth colour model of the frame that ignores
what else touches it; the whole picture's background predicted from the frame; a flood from the frame over
smooth pixels that look like the prediction, or like it in shadow; the prediction renewed from what was
flooded; holes that show exactly the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.images.faint import find_faint
from geco.images.filters import continued, dilate, dot, erode, gradient, largest, resize
from geco.images.frame import predict_from_frame
from geco.images.regions import border_of, regions
from geco.types import Bools, Floats

# pixels of the longer side that the thresholds are made for; larger pictures are reduced to it first
WORK_SIDE = 384
LEAST_FRAME = 0.45  # the part of the frame that has to be background
NEAR = 0.03  # as good as equal to the predicted background
LOOSE = 0.10  # equal to it, where nothing else contradicts
SMOOTH = 0.016  # gradient per pixel of soft shadows and lighting; object edges are steeper
DARKEST_SHADOW = 0.45  # of the background's brightness
CHANNEL = 11  # pixels
HOLE_MEAN = 0.025  # a hole's mean difference from the predicted background
MOST_UNEVEN = 0.04  # standard deviation of a background's colour up to which holes are judged more leniently
HOLE_RIM = 0.7  # the part of a hole's rim that has to differ plainly from the background
MOST_HOLES = 16  # the largest ones
CONTACT = 0.06  # of the object's height: the tallest piece of shadow that is left under its feet
BOTTOM = 0.15  # of the object's height: where such shadow is looked for
SPECK = 0.01  # of the largest piece: smaller pieces are dust
HOLE_PART = 0.002  # of the object's bounding box: smaller holes are taken for marks on the object


@dataclass
class PlainBackground:
    """Attributes:
    foreground: (H, W) bool.
    background: (3, H, W) float32, the colour behind every pixel.
    confidence: 0 … 1, how sure it is that the background is plain and was found.
    faint: whether the object was found by its outline only.
    dropped: part of the object by its outline that is not in the foreground, 0 to 1.
    """

    foreground: Bools
    background: Floats
    confidence: float
    faint: bool = False
    dropped: float = 0.0


def find_plain_background(image: Floats, outline: bool = True) -> PlainBackground:
    """The background of a picture that has a plain one.

    Args:
        image: (3, H, W) float32 sRGB in [0, 1], slightly smoothed; made for a longer side of
            :data:`WORK_SIDE` or less.
        outline: look for objects that hardly differ from it as well (:mod:`geco.images.faint`).
    """
    height, width = image.shape[1:]
    framing, framed = predict_from_frame(image)
    background = framing
    slope = gradient(image)
    noise = float(np.median(slope[border_of(height, width, 3)]))
    # a small picture has fewer pixels for the same shading
    steps = min(max(WORK_SIDE / max(height, width), 1), 3)
    smooth = slope < SMOOTH * steps + 2.5 * noise
    channel = max(round(CHANNEL / 2 / steps), 1)
    near = NEAR + 2 * noise
    flooded = np.zeros((height, width), bool)
    for _ in range(2):
        distance, shade, tint = _compare(image, background)
        # A shadow scales all channels alike (a power law, as sRGB nearly is, keeps that), and it never
        # brightens.
        shadow = (shade > DARKEST_SHADOW) & (shade < 1.05) & (tint < near)
        flooded |= _flood(smooth & ((distance < LOOSE) | shadow) | flooded, distance < near, channel)
        background = _fill(image, flooded)
    distance, shade, tint = _compare(image, background)
    exact = distance < near / 2
    # narrow gaps, where nothing is in doubt
    flooded |= regions(dilate(erode(exact, 2), 2) & exact | flooded).touching(flooded)
    uneven = min(float(background[:, flooded].std(axis=1).max()), MOST_UNEVEN) if flooded.any() else 0.0
    if uneven > 0.005:
        # Where the background varies, the frame's prediction (it knows horizons), corrected nearby, may fit a
        # hole better.
        distance = np.minimum(distance, largest(np.abs(image - framing - _fill(image - framing, flooded))))
    flooded |= _holes(flooded, distance, smooth, 2 * noise + uneven / 2)
    flooded |= _contact_shadow(~flooded, shade, (shade > 0.25) & (shade < 1.05) & (tint < near))
    foreground = _without_specks(~flooded)
    faint, dropped = find_faint(image, framing, foreground) if outline else (None, 0.0)
    if faint is not None:
        foreground, background = faint, framing
        flooded, dropped = ~faint, 0.0
    return PlainBackground(foreground, background, _confidence(flooded, framed), faint is not None, dropped)


def _compare(image: Floats, background: Floats) -> tuple[Floats, Floats, Floats]:
    """Largest channel difference; brightness relative to the background; what remains after that
    brightness is divided out.
    """
    difference: Floats = image - background
    shade: Floats = dot(image, background) / dot(background, background).clip(1e-3, None)
    tint: Floats = image - shade * background
    return largest(np.abs(difference, out=difference)), shade, largest(np.abs(tint, out=tint))


def _flood(passable: Bools, near: Bools, channel: int) -> Bools:
    """What the frame reaches over passable pixels through channels 2 ``channel`` + 1 pixels wide; then up to
    the object's edge.

    Wide channels only, because the edge of a grey thing before a grey wall has gaps.
    """
    frame = border_of(*passable.shape)
    core = erode(passable, channel)
    flooded = regions(core).touching(frame & core)
    flooded = dilate(flooded, channel) & passable
    # Near edges the gradient is steep (blur, JPEG ringing) although the colour is the background's.
    for _ in range(3):
        flooded |= dilate(flooded, 1) & near
    return flooded


def _fill(image: Floats, known: Bools) -> Floats:
    """The background's colour everywhere, smoothly continued behind the object."""
    inner = erode(known, 2)
    return resize(continued(image, inner if inner.any() else known), *known.shape)


def _without_specks(mask: Bools) -> Bools:
    found = regions(mask, diagonal=True)
    return found.at_least(SPECK * found.sizes.max())


def _holes(flooded: Bools, distance: Floats, smooth: Bools, slack: float) -> Bools:
    """Enclosed pieces that show exactly the background: through a handle, between legs."""
    inside = ~flooded
    if not inside.any():
        return inside
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    near = NEAR + slack
    same = inside & (distance < near)
    core = erode(same & smooth, 1)
    found = regions(core)
    counts = np.maximum(found.sizes, 1)
    mean = np.bincount(found.labels.ravel(), weights=distance.ravel()) / counts
    likely = (found.sizes >= max(HOLE_PART * box, 12)) & (mean < HOLE_MEAN + slack)
    likely[0] = False
    candidates = np.flatnonzero(likely)
    candidates = candidates[np.argsort(-found.sizes[candidates])][:MOST_HOLES]
    holes = np.zeros_like(inside)
    for candidate in candidates:
        # A hole ends at once; a pale part of the object, shaded, passes slowly into the rest.
        piece = found.labels == candidate
        rim = distance[dilate(piece, 5) & ~dilate(piece, 4)]
        if float((rim > 2 * near).mean()) > HOLE_RIM:
            holes |= piece
    for _ in range(3):
        holes = dilate(holes, 1) & same
    return holes


def _contact_shadow(foreground: Bools, shade: Floats, grey: Bools) -> Bools:
    """Shadow left under the object's feet: from the lowest pixel of a column upwards,
    shadow-coloured and ever darker.
    """
    if not foreground.any():
        return foreground
    rows = np.flatnonzero(foreground.any(axis=1))
    tall = rows[-1] - rows[0] + 1
    reach = max(round(CONTACT * tall), 2)
    window = slice(max(rows[-1] - round(BOTTOM * tall) - reach, 0), rows[-1] + 1)
    # row 0 is the lowest
    inside, shade, grey = foreground[window][::-1], shade[window][::-1], grey[window][::-1]
    started = np.logical_or.accumulate(inside, axis=0)
    darkest = np.minimum.accumulate(np.where(started, shade, 2), axis=0)
    stopped = np.logical_or.accumulate(started & ~(inside & grey & (shade < darkest + 0.03)), axis=0)
    run = started & ~stopped
    # A longer run is a grey object, not a shadow's edge.
    run &= run.sum(axis=0) <= reach
    rest = inside & ~run
    # what is left of it is a line, two pixels thick at most
    run |= rest & grey & ~dilate(erode(rest, 1, 0), 1, 0)
    shadow = np.zeros_like(foreground)
    shadow[window] = run[::-1]
    return shadow


def _confidence(flooded: Bools, framed: float) -> float:
    """Framed part, reduced where the flood found next to nothing or left next to nothing."""
    share = float(flooded.mean())
    frame = border_of(*flooded.shape)
    reached = float(flooded[frame].mean())
    sure = min(max((min(framed, reached) - LEAST_FRAME) / (0.75 - LEAST_FRAME), 0), 1)
    if share > 0.998 or share < 0.05:
        return 0.0
    return 0.5 * sure + 0.5 * sure * min(share / 0.2, 1)
