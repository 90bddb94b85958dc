"""The crop that InstantMesh gives a picture before Zero123++ sees it, to the pixel: what
:func:`geco.images.prepare` differs from on purpose.
"""

from __future__ import annotations

import numpy as np

from geco.types import Bytes


def resize_foreground(rgba: Bytes, ratio: float) -> Bytes:
    """Centre what is not transparent on a transparent square of which it fills ``ratio``; nothing is
    resampled.

    The last row and column of the object are cut off, as the public code does (its slice ends one early).

    Args:
        rgba: (H, W, 4) uint8.
        ratio: share of the square's side that the longer side of the crop fills, (0, 1]; InstantMesh uses
            0.85.

    Returns:
        (S, S, 4) uint8.
    """
    rows, columns = np.nonzero(rgba[..., 3] > 0)
    crop = rgba[rows.min() : rows.max(), columns.min() : columns.max()]
    # Padded twice, to a square and then to its size: each floors its half.
    return _pad(_pad(crop, max(crop.shape[:2])), int(max(crop.shape[:2]) / ratio))


def _pad(picture: Bytes, side: int) -> Bytes:
    """Transparent border up to ``side``, the odd pixel below and to the right."""
    before = [(side - n) // 2 for n in picture.shape[:2]]
    after = [side - n - b for n, b in zip(picture.shape[:2], before)]
    return np.pad(picture, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
