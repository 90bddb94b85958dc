"""What a given transparency means: a cut-out or not, and which of its faint parts are no surface.

A picture may have an alpha channel that cuts nothing out (a stray pixel, a frame of a pixel, a screenshot's
round corners or its window's shadow), and a true cut-out may carry a soft shadow or a glow that must not
become part of the object.
"""

from __future__ import annotations

import numpy as np

from geco.images.color import to_bytes
from geco.images.filters import box_mean, dilate, erode, fill_smoothly
from geco.images.regions import regions
from geco.types import Bools, Floats

OPAQUE = 250 / 255  # alpha from which a pixel hides nothing that could be seen
UNSEEN = 3 / 255  # alpha up to which a pixel shows nothing: what resampling and lossy formats leave of 0

# Shares and lengths of a picture's own sides; tests/images/test_alpha.py draws both sides of each.
MARGIN = 0.025  # a transparent frame up to this thick (or 3 pixels) is no cut-out
SLIT = 0.01  # half the width of lines and specks that count as nothing
NEXT_TO_NOTHING = 0.025  # of the visible box: round corners up to a sixth of a square's side hide less
MOST_SLITS = 0.10  # of the visible box: thin gaps beyond that belong to a grille or a cage
LEAST_WINDOW = 0.5  # of the picture: a rectangle with a soft rim that is smaller is an object with a glow

# Faint parts, as shares of the object's own opacity; tests/images/test_alpha.py.
SOLID = 0.8  # alpha from which a pixel belongs to the object, whatever its colour
SHADOW = 0.7  # the strongest a shadow gets, but for the pixels that the object touches
DARK = 0.25  # largest channel (sRGB) of a shadow's own colour
NEUTRAL = 0.08  # and its largest difference between channels
GLOW = 0.5  # the strongest a glow gets
EDGE = 0.004  # of the longer side: how far the blend of an edge reaches; at least 2 pixels
LEAST_FAINT = 0.002  # of the object's area: less faint area than that is its edges, not a shadow
MOST_PIECES = 24  # the largest ones
SOFT = 0.35  # of its own strength: alpha at the outer end of what fades away rather than ends


def cuts_out(alpha: Floats) -> bool:
    """Whether an alpha channel (H, W) float32 in [0, 1] hides more than next to nothing of the picture.

    It does not where what it shows is the whole frame, but for a thin margin, thin lines, specks and rounded
    corners; nor where that is a rectangle with a soft rim around it, the shadow of a window. How opaque that
    part is plays no role.
    """
    if float(alpha.min()) >= OPAQUE:
        return False
    height, width = alpha.shape
    box = rectangle(alpha)
    if box is None:
        return True
    top, bottom, left, right = box
    margins = (top / height, (height - bottom) / height, left / width, (width - right) / width)
    thin = max(MARGIN, 3 / height), max(MARGIN, 3 / height), max(MARGIN, 3 / width), max(MARGIN, 3 / width)
    if all(margin <= most for margin, most in zip(margins, thin, strict=True)):
        return False
    covered = (bottom - top) * (right - left) / (height * width)
    return covered < LEAST_WINDOW or not _soft_rim(alpha, top, bottom, left, right)


def rectangle(alpha: Floats) -> tuple[int, int, int, int] | None:
    """top, bottom, left, right of what alpha shows, where that is an upright rectangle, nearly."""
    seen = alpha > alpha.max() / 2
    top, bottom, left, right = _box(seen)
    inside = seen[top:bottom, left:right]
    if 1 - float(inside.mean()) > MOST_SLITS:
        return None
    closed = _closed(inside, max(round(SLIT * min(inside.shape)), 1))
    return None if 1 - float(closed.mean()) > NEXT_TO_NOTHING else (top, bottom, left, right)


def opaque(rgba: Floats) -> Floats:
    """(H, W, 3) colours of a picture whose alpha cuts nothing out; hidden ones continued from the others."""
    alpha = rgba[..., 3]
    hidden = dilate(alpha <= alpha.max() / 2, 1)  # the pixel beside a hidden one is often a blend of both
    if not hidden.any() or hidden.all():
        return np.ascontiguousarray(rgba[..., :3])
    planes = np.ascontiguousarray(rgba[..., :3].transpose(2, 0, 1))
    filled = fill_smoothly(planes, (~hidden).astype(np.float32))
    return np.ascontiguousarray(filled.transpose(1, 2, 0)).clip(0, 1)


def without_faint(rgba: Floats) -> Floats:
    """The cut-out (H, W, 4) without soft shadows and glows; the same array where there are none.

    What counts is relative to the object's own opacity: a translucent object stays. A faint area beyond the
    object's edge goes when it is dark and neutral (a shadow), or when it fades away outwards (a glow); a
    pane, a lens or a wing that is enclosed or ends at an edge of its own stays. Where the object's edge lies
    over what went, that is taken out of it.
    """
    alpha = rgba[..., 3]
    body = _opacity(alpha)
    solid = alpha >= SOLID * body
    reach = max(2, round(EDGE * max(alpha.shape)))
    beyond = (alpha > UNSEEN) & ~dilate(solid, reach)
    if beyond.sum() < LEAST_FAINT * solid.sum():
        return rgba
    found = regions(beyond, diagonal=True)
    gone = np.zeros(alpha.shape, bool)
    for label in np.argsort(-found.sizes, kind="stable")[:MOST_PIECES]:
        if found.sizes[label] > 0:
            window = _around(found.labels == label)
            gone[window] |= _faded(rgba[window], found.labels[window] == label, solid[window], body)
    if not gone.any():
        return rgba
    return _lifted(rgba, gone, solid, reach + 1)


def _box(seen: Bools) -> tuple[int, int, int, int]:
    """top, bottom, left, right of the visible pixels, ends exclusive."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _around(mask: Bools) -> tuple[slice, slice]:
    """The window of a mask's box and ten pixels more."""
    top, bottom, left, right = _box(mask)
    return slice(max(top - 10, 0), bottom + 10), slice(max(left - 10, 0), right + 10)


def _closed(mask: Bools, radius: int) -> Bools:
    return erode(dilate(mask, radius), radius) | mask


def _soft_rim(alpha: Floats, top: int, bottom: int, left: int, right: int) -> bool:
    """Whether faint alpha lies along two sides of the box or more: a window's shadow falls down, sideways."""
    peak = float(alpha.max())
    height, width = alpha.shape
    gap = 3  # pixels: past the blend of the window's own edge
    sides = []
    if bottom + gap < height:
        sides.append(alpha[bottom + gap, left:right])
    if top - gap > 0:
        sides.append(alpha[top - gap, left:right])
    if right + gap < width:
        sides.append(alpha[top:bottom, right + gap])
    if left - gap > 0:
        sides.append(alpha[top:bottom, left - gap])
    faint = [((side > UNSEEN) & (side < SHADOW * peak)).mean() > 0.7 for side in sides]
    return sum(faint) >= 2


def _opacity(alpha: Floats) -> float:
    """How opaque the object itself is: the alpha at which nine tenths of all that is visible is reached."""
    counts = np.bincount(to_bytes(alpha).ravel(), minlength=256)
    counts[: round(UNSEEN * 255) + 1] = 0
    mass = np.cumsum(counts * np.arange(256))
    return float(np.searchsorted(mass, 0.9 * mass[-1])) / 255


def _faded(rgba: Floats, piece: Bools, solid: Bools, body: float) -> Bools:
    """The part of a faint piece that is shadow or glow, (H, W) bool; nothing where it is the object's."""
    alpha = rgba[..., 3]
    nothing = np.zeros_like(piece)
    strength = alpha[piece]
    peak = float(np.quantile(strength, 0.95))
    color = np.average(rgba[piece][:, :3], axis=0, weights=strength)
    outer = dilate(piece, 1) & ~piece
    outside = outer & (alpha <= UNSEEN)
    if outside.sum() < 0.1 * outer.sum():
        return nothing  # a pane, a lens: the object is all around it
    if peak <= SHADOW * body and color.max() <= DARK and np.ptp(color) <= NEUTRAL:
        return piece
    ends = piece & dilate(outside, 2)
    soft = float(np.median(alpha[ends])) < SOFT * peak and float(alpha[piece].min()) < SOFT * peak
    # A glow surrounds what glows; its steepest slope is gentle against its strength.
    glow = soft and _gentle(alpha, piece, peak) and bool(dilate(piece, 8)[solid].any())
    return piece & (alpha <= GLOW * body) if glow else nothing


def _gentle(alpha: Floats, piece: Bools, peak: float) -> bool:
    """Whether alpha changes slowly within the piece: hair and lace do not."""
    across, down = np.abs(np.diff(alpha, axis=1)), np.abs(np.diff(alpha, axis=0))
    inner = erode(piece, 1)
    if not inner.any():
        return True
    steps = np.concatenate([across[inner[:, :-1]], down[inner[:-1]]])
    return float(np.quantile(steps, 0.9)) < 0.15 * peak


def _lifted(rgba: Floats, gone: Bools, solid: Bools, reach: int) -> Floats:
    """The picture without what is ``gone``, and the object's edge without the shadow seen through it."""
    alpha = rgba[..., 3]
    edge = dilate(gone, reach) & ~gone & ~solid & (alpha > 0)
    under = box_mean(np.stack([gone * alpha, gone.astype(np.float32)]), reach)
    veil = np.where(edge, under[0] / np.maximum(under[1], 1e-3), 0).clip(0, 0.95)
    left = ((alpha - veil) / (1 - veil)).clip(0, 1)
    out = rgba.copy()
    # alpha C = left F + (1 - left) veil D, with the shadow's colour D as in what went.
    planes = np.ascontiguousarray(np.moveaxis(rgba[..., :3] * (gone * alpha)[..., None], 2, 0))
    dark = box_mean(planes, reach) / np.maximum(under[0], 1e-4)
    front = (alpha * np.moveaxis(rgba[..., :3], 2, 0) - (1 - left) * veil * dark) / np.maximum(left, 0.1)
    out[edge, :3] = np.moveaxis(front, 0, 2)[edge].clip(0, 1)
    out[..., 3] = np.where(edge, left, np.where(gone, 0, alpha))
    out[dilate(gone, reach) & (out[..., 3] <= UNSEEN), 3] = 0
    return out
