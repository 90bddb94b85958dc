"""Bake a colour field into a texture: every covered texel asks the field at its own place on the surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geco.errors import MeshError
from geco.images.color import to_bytes
from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster, rasterize_uv
from geco.types import Bytes, Floats, Index

__all__ = ["UVRaster", "bake", "painted", "rasterize_uv", "with_texels"]

_EMPTY = 255  # white where nothing at all is covered


def bake(
    mesh: Mesh,
    color: Callable[[Floats], Floats],
    size: int,
    chunk: int = 1 << 18,
    raster: UVRaster | None = None,
) -> Mesh:
    """A copy of the mesh with a texture.

    Args:
        mesh: with uvs.
        color: (N, 3) float32 world points to (N, 3) sRGB in [0, 1]; values outside are clipped.
        size: texels a side.
        chunk: most points asked at once.
        raster: of :func:`rasterize_uv` at this size, when there is one already.

    Returns:
        The mesh with a (size, size, 3) uint8 texture, all of it filled: empty texels repeat the nearest
        covered one.

    Raises:
        MeshError: no uvs, or a raster of another size, or a field that gives no finite colours.
    """
    raster = raster if raster is not None else rasterize_uv(mesh, size)
    if raster.size != size:
        raise MeshError(
            f"the raster has {raster.size} texels a side, not {size}",
            "Rasterise again at the texture's size.",
        )
    points = raster.interpolate(mesh, mesh.vertices)
    colors = np.empty((len(points), 3), np.uint8)
    for start in range(0, len(points), chunk):
        found = np.asarray(color(points[start : start + chunk]), np.float32)
        if not np.isfinite(found).all():
            raise MeshError("the colour field gives values that are not finite numbers")
        colors[start : start + chunk] = to_bytes(found)
    return with_texels(mesh, raster, colors)


def with_texels(mesh: Mesh, raster: UVRaster, colors: Bytes) -> Mesh:
    """A copy of the mesh with (N, 3) colours at the raster's texels, seams dilated."""
    texture = np.full((raster.size, raster.size, 3), _EMPTY, np.uint8)
    _whole(texture)[raster.texels] = _whole(colors)
    return mesh.with_(texture=filled(texture, raster))


def filled(texture: Bytes, raster: UVRaster) -> Bytes:
    """(H, W, 3) texels, changed in place so that those without a face repeat a covered one near them."""
    empty, sources = raster.filling
    flat = _whole(texture)
    flat[empty] = flat.take(sources)
    return texture


def painted(texture: Bytes, raster: UVRaster, texels: Index, colors: Floats) -> Bytes:
    """A filled texture with other colours (3, N) in [0, 1] at some covered texels (N,), and where these are
    repeated.
    """
    texture = texture.copy()
    flat = _whole(texture)
    flat[texels] = _whole(np.ascontiguousarray(to_bytes(colors).T))
    new = np.zeros(len(flat), bool)
    new[texels] = True
    empty, sources = raster.filling
    again = np.flatnonzero(new.take(sources))
    flat[empty.take(again)] = flat.take(sources.take(again))
    return texture


def _whole(texels: Bytes) -> NDArray[np.void]:
    """(..., 3) bytes as one item a texel, which numpy moves several times faster than rows of three."""
    return texels.reshape(-1).view("V3")
