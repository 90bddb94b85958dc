"""World axes to the axes of each file format; the only place where they are converted
(docs/conventions.md).
"""

from __future__ import annotations

import numpy as np

from geco.types import Floats


def y_up(vectors: Floats) -> Floats:
    """World (z up, input camera on +x) to y up with the input side facing +z: (x, y, z) -> (y, z, x).

    The glTF 2.0 specification, 3.4: +y up, the front of an asset faces +z. A rotation, so faces keep their
    winding.

    Args:
        vectors: (N, 3) positions or normals.
    """
    return np.ascontiguousarray(vectors[:, [1, 2, 0]], np.float32)


def flip_v(uvs: Floats) -> Floats:
    """(N, 2) texture coordinates with the origin at the top left (ours, glTF's) to the bottom
    left (OBJ, USD), and back.
    """
    return np.stack([uvs[:, 0], np.float32(1.0) - uvs[:, 1]], axis=1).astype(np.float32)


def srgb_to_linear(colors: Floats) -> Floats:
    """sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    low = colors / 12.92
    high = ((np.maximum(colors, 0.0) + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, low, high).astype(np.float32)
