"""Colours at the vertices in place of a texture: a raster whose texels are the vertices themselves, so that
baking and laying the picture on are the same code for both.
"""

from __future__ import annotations

import math

import numpy as np

from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster


def vertex_raster(mesh: Mesh) -> UVRaster:
    """One texel a vertex that some face uses, in the order of the vertices, at that vertex exactly."""
    count = len(mesh.vertices)
    corner = np.full(count, -1, np.intp)  # of one face of each vertex, whichever stands last
    corner[mesh.faces.ravel()] = np.arange(mesh.faces.size)
    used = np.flatnonzero(corner >= 0)
    weights = np.zeros((3, len(used)), np.float32)
    weights[corner[used] % 3, np.arange(len(used))] = 1.0
    return UVRaster(
        max(math.isqrt(max(count - 1, 0)) + 1, 1), used, (corner[used] // 3).astype(np.int32), weights
    )


def with_vertex_colors(mesh: Mesh) -> Mesh:
    """A copy of a mesh that was baked by :func:`vertex_raster`: its texels as the vertices' colours."""
    assert mesh.texture is not None
    colors = mesh.texture.reshape(-1, 3)[: len(mesh.vertices)]
    return mesh.with_(texture=None, uvs=None, colors=colors.astype(np.float32) / np.float32(255))
