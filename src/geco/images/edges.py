"""From a mask at working size to a soft alpha at full size, with the background's colour taken
out of the edge.
"""

from __future__ import annotations

import numpy as np

from geco.images.filters import box_mean, continued, dilate, erode, resize, sample
from geco.types import Bools, Floats

# squared colour distance (sRGB) from which the colours alone decide the alpha of an edge pixel
SEPARABLE = 0.02


def soften(
    rgb: Floats, foreground: Bools, background: Floats | None = None, image: Floats | None = None
) -> Floats:
    """Straight RGBA of a picture whose object is known to a pixel or two.

    Within the edge, a pixel is I = a F + (1 - a) B with F and B continued smoothly from the sure sides, so a
    is I's place on the line from B to F, and F replaces I. Where alpha is 0 the colours stay the picture's
    and mean nothing.

    Args:
        rgb: (H, W, 3) float32 sRGB in [0, 1].
        foreground: (h, w) bool, the same picture at a working size.
        background: (3, h, w) float32 colours behind the object where they are known.
        image: (3, h, w) float32, the picture at the working size, where the caller has it.
    Returns:
        (H, W, 4) float32.
    """
    height, width = rgb.shape[:2]
    mask = resize(foreground.astype(np.float32), height, width) > 0.5
    reach = 2 if max(height, width) <= 1.3 * max(foreground.shape) else 3
    inner, outer = erode(mask, reach), dilate(mask, reach)
    rows, columns = np.nonzero(outer & ~inner)
    pixel = rgb[rows, columns]
    y, x = (rows.astype(np.float32) + 0.5) / height, (columns.astype(np.float32) + 0.5) / width
    small = (
        resize(np.ascontiguousarray(rgb.transpose(2, 0, 1)), *foreground.shape) if image is None else image
    )
    core = erode(foreground, 2)
    front = sample(continued(small, core if core.sum() > 0.2 * foreground.sum() else foreground), y, x)
    back = sample(continued(small, ~dilate(foreground, 2)) if background is None else background, y, x)
    span = front - back
    square = np.einsum("nc,nc->n", span, span)
    by_color = np.einsum("nc,nc->n", pixel - back, span) / np.maximum(square, 1e-4)
    by_shape = box_mean(mask.astype(np.float32), 1)[rows, columns]
    trust = np.minimum(square / SEPARABLE, 1)
    share = (trust * by_color + (1 - trust) * by_shape).clip(0, 1)[:, None]
    clean = (pixel - (1 - share) * back) / np.maximum(share, 0.25)
    out = np.empty((height, width, 4), np.float32)
    out[..., :3] = rgb
    out[rows, columns, :3] = np.where(share > 0.25, clean, front).clip(0, 1)
    out[..., 3] = inner
    out[rows, columns, 3] = share[:, 0]
    return out
