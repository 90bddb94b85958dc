"""Looking colours up in a texture."""

from __future__ import annotations

import numpy as np

from geco.types import Bytes, Floats


def sample_texture(texture: Bytes, uvs: Floats) -> Floats:
    """Bilinear lookup, clamped at the borders.

    Args:
        texture: (H, W, C) uint8.
        uvs: (N, 2) in [0, 1], origin at the top left, texel centres at (i + 0.5) / W.

    Returns:
        (N, C) float32 in [0, 1].
    """
    height, width = texture.shape[:2]
    x = np.clip(uvs[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip(uvs[:, 1] * height - 0.5, 0, height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = texture[top, left] * (1 - across) + texture[top, right] * across
    lower = texture[below, left] * (1 - across) + texture[below, right] * across
    return ((upper * (1 - down) + lower * down) / 255).astype(np.float32)
