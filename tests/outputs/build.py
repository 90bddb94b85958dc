"""Meshes whose content is one colour."""

from __future__ import annotations

import numpy as np

from geco.mesh import Mesh


def coloured(colour: int, count: int = 4) -> Mesh:
    """Loose triangles with a texture of one grey; the geometry differs with it too."""
    rng = np.random.default_rng(colour)
    vertices, uvs = rng.random((3 * count, 3), np.float32), rng.random((3 * count, 2), np.float32)
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return Mesh(vertices, faces, uvs=uvs, texture=np.full((64, 64, 3), colour, np.uint8))
