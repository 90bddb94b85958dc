"""Coarser levels of a finished mesh: bare ones that take their colours from it."""

from __future__ import annotations

import numpy as np

from geco.mesh.bake import with_texels
from geco.mesh.nearest import Surface
from geco.mesh.normal_map import bake_normals
from geco.mesh.normals import vertex_normals
from geco.mesh.texture import sample_texture
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap
from geco.mesh.uv_raster import rasterize_uv
from geco.mesh.vertex_colors import vertex_raster, with_vertex_colors
from geco.types import Bytes, Floats

LEAST_SIDE = 128  # texels of a level's texture; own choice


def side_of(level: int, size: int) -> int:
    """Texels a side of a level's texture: each level, seen from twice as far, has half as many."""
    return min(max(size >> level, LEAST_SIDE), size)


def colored_as(
    coarse: Mesh, first: Mesh, size: int, method: str = "charts", fine: Mesh | None = None
) -> Mesh:
    """A bare mesh with the colours of a finished one, at the points of it that are nearest.

    Args:
        coarse: bare.
        first: with uvs and a texture, or with colours at its vertices; and with normals.
        size: texels a side of the texture; of no meaning for colours at the vertices.
        method: of :func:`geco.mesh.uv.unwrap`.
        fine: the surface for a normal map; None: no such map.
    """
    textured = first.texture is not None
    if textured:
        coarse = unwrap(coarse, texture_size=min(size, 1024), method=method)
    coarse.normals = vertex_normals(coarse.vertices, coarse.faces)
    raster = rasterize_uv(coarse, size) if textured else vertex_raster(coarse)
    points, turned = (raster.interpolate(coarse, each) for each in (coarse.vertices, coarse.normals))
    colors = _colors(first, *Surface(first).nearest(points, turned))
    result = with_texels(coarse, raster, colors)
    if not textured:
        return with_vertex_colors(result)
    return result.with_(normal_map=None if fine is None else bake_normals(result, raster, fine))


def _colors(mesh: Mesh, face: np.ndarray, weights: Floats) -> Bytes:
    """(N, 3) uint8 colours of points on a mesh."""
    values = mesh.colors if mesh.uvs is None or mesh.texture is None else mesh.uvs
    assert values is not None
    corners = np.ascontiguousarray(mesh.faces.T, np.intp)
    total = np.zeros((len(face), values.shape[1]), np.float32)
    for corner, weight in zip(corners, weights):
        total += values.take(corner.take(face), axis=0) * weight[:, None]
    if mesh.texture is not None:
        total = sample_texture(mesh.texture, total)
    return np.asarray(np.rint(total * 255).clip(0, 255), np.uint8)
