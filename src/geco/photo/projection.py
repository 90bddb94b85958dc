"""Lay the input picture on the side of the mesh that it shows, blended smoothly into the baked texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.errors import ConfigError, MeshError
from geco.images.color import to_bytes
from geco.mesh.bake import filled
from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster
from geco.photo.fit_camera import fit_input_camera
from geco.photo.input_camera import AGREEING_COLORS, AGREEING_IOU, InputCamera
from geco.render.fragments import Fragments
from geco.types import Bools, Floats, Index

__all__ = ["AGREEING_COLORS", "AGREEING_IOU", "InputCamera", "fit_input_camera", "project_picture"]


ERODE = 0.015  # own choice, of the object's size: the picture's rim holds background and is never used
FEATHER = 0.04  # own choice, of the object's size: over this width the picture fades in from its rim
# world units: how far behind the z-buffer a texel may lie, and the same again for each unit of slope a pixel
# covers
BIAS = 0.01


@dataclass(frozen=True)
class Trust:
    """Where the picture is believed; all own choices.

    Attributes:
        steep, frontal: cosines to the viewing ray where the picture starts to count and counts fully.
        step: world units (the object is 1.9 across); neighbouring pixels further apart in depth are an edge
            of visibility.
    """

    steep: float = 0.25
    frontal: float = 0.6
    step: float = 0.04


EXACT = Trust()  # a surface whose bumps are real
# a bumpy guess made to keep to the outline: its bumps must not show as patches
ROUGH = Trust(0.05, 0.35, 0.15)


def project_picture(
    mesh: Mesh,
    raster: UVRaster,
    rgba: Floats,
    camera: InputCamera,
    trust: Trust = EXACT,
    fragments: Fragments | None = None,
) -> Mesh:
    """A copy of the mesh whose texture shows the picture where the camera sees the surface well.

    A texel takes the picture with a weight that is the product of three smooth ramps: facing (the cosine to
    the viewing ray), distance inside the common silhouette and from edges of depth, and visibility in the
    z-buffer. Texels that are turned away, hidden or outside keep their colour exactly.

    Args:
        mesh: with uvs and a texture.
        raster: of :func:`geco.mesh.bake.rasterize_uv` for this mesh and texture size.
        rgba: (S, S, 4) float32 in [0, 1], the cut-out picture, straight alpha.
        camera: of :func:`fit_input_camera`; that it agrees is the caller's business.
        trust: how far the surface is believed.
        fragments: the mesh as the camera sees it in the picture's size, where it has been drawn already.

    Raises:
        MeshError: no texture, or a raster of another size. ConfigError: the picture is not a square with
            alpha.
    """
    if mesh.texture is None or mesh.texture.shape[:2] != (raster.size, raster.size):
        raise MeshError("the mesh has no texture of the raster's size", "Bake it first.")
    if rgba.ndim != 3 or rgba.shape[0] != rgba.shape[1] or rgba.shape[2] != 4:
        raise ConfigError(
            f"a picture of shape {rgba.shape} cannot be projected", "Give a square (S, S, 4) cut-out."
        )
    size = len(rgba)
    depth = (fragments or camera.rasterize(mesh, size)).depth
    picture = rgba.copy()
    picture[..., 3] = trusted(rgba[..., 3], depth, trust.step)
    front, facing = _facing(mesh, raster, camera, trust.steep)
    part = raster.part(front)
    away = part.interpolate(mesh, _homogeneous(mesh, camera, size)).T
    column, row = away[0] / away[2], away[1] / away[2]
    near = np.rint(row.clip(0, size - 1)).astype(np.intp) * size + np.rint(column.clip(0, size - 1)).astype(
        np.intp
    )
    slope = np.sqrt(np.maximum(1 / facing**2 - 1, 0))
    # world units across a pixel
    pixel = float(2 * np.tan(np.radians(camera.fov / 2)) / (size * camera.scale)) * away[2]
    seen = away[2] - depth.reshape(-1)[near] < BIAS + 2 * slope * pixel
    seen &= (column >= 0) & (row >= 0) & (column <= size - 1) & (row <= size - 1)
    used = np.flatnonzero(seen & (picture[..., 3].reshape(-1)[near] > 0))
    found = _bilinear(picture, column[used], row[used])
    share = (found[:, 3] * _ramp(facing[used], trust.steep, trust.frontal))[:, None]
    texture = mesh.texture.reshape(-1, 3).copy()
    texels = part.texels[used]
    before = texture[texels] / np.float32(255)
    texture[texels] = to_bytes(before + share * (found[:, :3] - before))
    return mesh.with_(texture=filled(texture, raster))


def _homogeneous(mesh: Mesh, camera: InputCamera, size: int) -> Floats:
    """(V, 3) column * depth, row * depth, depth: linear on the surface, unlike the pixels themselves."""
    pixels, nearness = camera.to_pixels(mesh.vertices, size)
    depth = 1 / np.maximum(nearness, 1e-9)
    return np.stack([pixels[0] * depth, pixels[1] * depth, depth], axis=1, dtype=np.float32)


def trusted(alpha: Floats, depth: Floats, step: float = EXACT.step) -> Floats:
    """(S, S) weight of each pixel: 0 near the rim of either silhouette and near steps of depth, rising
    smoothly to 1 inside.

    Args:
        alpha: (S, S) of the picture.
        depth: (S, S) of the mesh, inf where it is not.
        step: of depth between neighbours that is an edge, world units.
    """
    inside = (alpha > 0.99) & np.isfinite(depth)
    solid = np.where(np.isfinite(depth), depth, 0)
    for axis in (0, 1):
        jump = np.abs(np.diff(solid, axis=axis)) > step
        if axis == 0:
            inside[1:] &= ~jump
            inside[:-1] &= ~jump
        else:
            inside[:, 1:] &= ~jump
            inside[:, :-1] &= ~jump
    extent = np.sqrt((alpha > 0.5).sum())
    skip, width = max(round(ERODE * extent), 1), max(round(FEATHER * extent), 1)
    depth_inside = np.zeros(alpha.shape, np.float32)
    core = inside
    for ring in range(skip + width):
        core = _eroded(core, diagonal=ring % 2 == 1)  # squares and diamonds in turn: nearly round
        if ring >= skip:
            depth_inside += core
    return _smooth(depth_inside / np.float32(width))


def _eroded(mask: Bools, diagonal: bool) -> Bools:
    result = np.zeros_like(mask)
    rows = mask[:-2] & mask[1:-1] & mask[2:]
    if diagonal:
        result[1:-1, 1:-1] = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    else:
        result[1:-1, 1:-1] = rows[:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return result


def _facing(mesh: Mesh, raster: UVRaster, camera: InputCamera, steep: float) -> tuple[Index, Floats]:
    """Texels turned towards the camera enough to count: their places in the raster, and their
    cosines to the viewing ray.
    """
    rays = camera.c2w[:3, 3] - mesh.vertices
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    normals = mesh.face_normals()
    length = np.maximum(np.linalg.norm(normals, axis=1), 1e-30)
    flat = (normals * rays[mesh.faces[:, 0]]).sum(axis=1) / length
    if mesh.normals is None:
        front = np.flatnonzero((flat > steep)[raster.faces])
        return front, flat[raster.faces[front]]
    smooth = (mesh.normals * rays).sum(axis=1)[mesh.faces.T]  # (3, F)
    front = np.flatnonzero(((flat > 0) & (smooth.max(axis=0) > steep))[raster.faces])
    faces = raster.faces[front]
    facing = sum(smooth[k][faces] * raster.weights[k][front] for k in range(3))
    return front, np.maximum(facing, 1e-3)


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth between."""
    return _smooth(np.clip((values - low) / (high - low), 0, 1))


def _smooth(values: Floats) -> Floats:
    """[0, 1] onto itself with level ends."""
    return values * values * (3 - 2 * values)


def _bilinear(image: Floats, column: Floats, row: Floats) -> Floats:
    """(S, S, C) at N places inside it: (N, C)."""
    size, channels = len(image), image.shape[2]
    flat = image.reshape(size * size, channels)
    left, top = np.minimum(column.astype(np.intp), size - 2), np.minimum(row.astype(np.intp), size - 2)
    across, down = (column - left).astype(np.float32)[:, None], (row - top).astype(np.float32)[:, None]
    corner = top * size + left
    rows = []
    for first in (corner, corner + size):
        one = flat.take(first, axis=0)
        one += (flat.take(first + 1, axis=0) - one) * across
        rows.append(one)
    rows[0] += (rows[1] - rows[0]) * down
    return rows[0]
