"""Looking colours up in a texture."""

from __future__ import annotations

import numpy as np

from geco.types import Bytes, Floats, Index


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
    across, down = (x - left).astype(np.float32), (y - top).astype(np.float32)
    flat = texture.reshape(height * width, -1)

    def line(row: Index) -> Floats:
        one, two = (flat.take(row * width + column, axis=0).T.astype(np.float32) for column in (left, right))
        return np.asarray(one * (1 - across) + two * across, np.float32)

    return np.ascontiguousarray((line(top) * (1 - down) + line(below) * down).T / np.float32(255))
