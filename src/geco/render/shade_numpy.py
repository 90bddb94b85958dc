"""Pictures of a mesh in numpy: colour with coverage for turntables and contact sheets; mask,
depth and normal buffers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geco.mesh.normal_map import mapped_normals, tangents
from geco.mesh.texture import sample_texture
from geco.mesh.types import Mesh
from geco.render.fragments import Fragments
from geco.render.rasterize_numpy import Engine, rasterize
from geco.types import Bools, Floats

CLAY = (0.75, 0.75, 0.75)  # colour of a mesh that has none of its own


@dataclass(frozen=True)
class Headlight:
    """A lamp at the eye: colours are multiplied by ambient + direct * |cosine to the viewing ray|."""

    ambient: float = 0.55
    direct: float = 0.45


@dataclass
class PixelBuffers:
    """What every pixel shows, without anti-aliasing.

    Attributes:
        mask: (H, W) bool.
        depth: (H, W) float32 along the viewing axis, world units, inf where nothing is seen.
        normals: (H, W, 3) float32 unit vectors in world space, 0 where nothing is seen.
        positions: (H, W, 3) float32 world points, 0 where nothing is seen.
        fragments: the z-buffer they were made from.
    """

    mask: Bools
    depth: Floats
    normals: Floats
    positions: Floats
    fragments: Fragments


def render_mesh(
    mesh: Mesh,
    c2w: ArrayLike,
    fov: float,
    size: int,
    light: Headlight | None = None,
    supersample: int = 2,
    engine: Engine = "numpy",
) -> Floats:
    """A picture of a textured, coloured or bare mesh.

    Args:
        mesh: texture with uvs, or else vertex colours, or else drawn as clay.
        c2w: (4, 4) camera-to-world.
        fov: degrees.
        size: pixels a side.
        light: None shows the bare colours; clay is always lit.
        supersample: samples a pixel along each side.
        engine: see :func:`geco.render.rasterize_numpy.rasterize`.

    Returns:
        (size, size, 4) float32 RGBA in [0, 1], straight alpha: the part of the pixel that the mesh covers.
    """
    fragments = rasterize(mesh.vertices, mesh.faces, c2w, fov, size * supersample, engine=engine)
    seen = fragments.mask
    face, weights = fragments.face_ids[seen], fragments.barycentrics[seen]
    colors = surface_colors(mesh, face, weights)
    bare = colors is None
    if colors is None:
        colors = np.tile(np.array(CLAY, np.float32), (len(face), 1))
    if light is None and bare:
        light = Headlight()
    if light is not None:
        colors = colors * _lit(mesh, face, weights, np.asarray(c2w, np.float32)[:3, 3], light)[:, None]
    samples = np.zeros((*seen.shape, 4), np.float32)
    samples[seen, :3] = colors
    samples[seen, 3] = 1.0
    picture = samples.reshape(size, supersample, size, supersample, 4).mean(axis=(1, 3))
    picture[..., :3] /= np.maximum(picture[..., 3:], 1.0 / supersample**2)
    return np.clip(picture, 0.0, 1.0)


def render_buffers(
    mesh: Mesh, c2w: ArrayLike, fov: float, size: int, engine: Engine = "numpy"
) -> PixelBuffers:
    """Mask, depth, world normals and positions, one sample at every pixel's centre."""
    fragments = rasterize(mesh.vertices, mesh.faces, c2w, fov, size, engine=engine)
    seen = fragments.mask
    face, weights = fragments.face_ids[seen], fragments.barycentrics[seen]
    normals = np.zeros((size, size, 3), np.float32)
    positions = np.zeros((size, size, 3), np.float32)
    normals[seen] = _normals(mesh, face, weights)
    positions[seen] = interpolate(mesh.vertices, mesh.faces, face, weights)
    return PixelBuffers(seen, fragments.depth, normals, positions, fragments)


def interpolate(
    attributes: Floats, faces: NDArray[np.integer], face: NDArray[np.integer], weights: Floats
) -> Floats:
    """Vertex attributes (V, C) at points given by face (N,) and barycentric weights (N, 3); (N, C)."""
    corners = faces.take(face, axis=0)
    result = attributes.take(corners[:, 0], axis=0) * weights[:, :1]
    result += attributes.take(corners[:, 1], axis=0) * weights[:, 1:2]
    result += attributes.take(corners[:, 2], axis=0) * weights[:, 2:]
    return result


def surface_colors(mesh: Mesh, face: NDArray[np.integer], weights: Floats) -> Floats | None:
    """(N, 3) sRGB in [0, 1] of points on the mesh, from its texture or its vertex colours; None
    where it has neither.
    """
    if mesh.texture is not None and mesh.uvs is not None:
        return sample_texture(mesh.texture, interpolate(mesh.uvs, mesh.faces, face, weights))
    if mesh.colors is not None:
        return interpolate(mesh.colors, mesh.faces, face, weights)
    return None


def _normals(mesh: Mesh, face: NDArray[np.integer], weights: Floats) -> Floats:
    """(N, 3) unit normals: interpolated where the mesh has vertex normals, and bent by its normal map; else
    the faces' own.
    """
    normals = (
        mesh.face_normals()[face]
        if mesh.normals is None
        else interpolate(mesh.normals, mesh.faces, face, weights)
    )
    if mesh.normal_map is not None and mesh.normals is not None and mesh.uvs is not None:
        uvs = interpolate(mesh.uvs, mesh.faces, face, weights)
        return mapped_normals(mesh, uvs, normals, interpolate(tangents(mesh), mesh.faces, face, weights))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def _lit(mesh: Mesh, face: NDArray[np.integer], weights: Floats, eye: Floats, light: Headlight) -> Floats:
    """(N,) brightness of points under a lamp at the eye."""
    rays = eye - interpolate(mesh.vertices, mesh.faces, face, weights)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    cosine = np.abs((rays * _normals(mesh, face, weights)).sum(axis=1))
    return light.ambient + light.direct * cosine
