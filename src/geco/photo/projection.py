"""Lay the input picture on the side of the mesh that it shows, blended smoothly into the baked texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.errors import ConfigError, MeshError
from geco.mesh.bake import painted
from geco.mesh.topology import cross, dot
from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster
from geco.photo.fit_camera import fit_input_camera
from geco.photo.input_camera import AGREEING_COLORS, AGREEING_IOU, InputCamera
from geco.photo.maps import bilinear
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
    texels, share, found = shown_texels(mesh, raster, rgba, camera, trust, fragments)
    before = np.asarray(mesh.texture.reshape(-1, 3).take(texels, axis=0).T / np.float32(255), np.float32)
    return mesh.with_(texture=painted(mesh.texture, raster, texels, before + share * (found - before)))


def shown_texels(
    mesh: Mesh,
    raster: UVRaster,
    rgba: Floats,
    camera: InputCamera,
    trust: Trust = EXACT,
    fragments: Fragments | None = None,
) -> tuple[Index, Floats, Floats]:
    """The texels (N,) that the picture shows, the share (N,) that it has in each, and its colours (3, N);
    arguments as of :func:`project_picture`.

    Raises:
        ConfigError: the picture is not a square with alpha.
    """
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
    column, row, away = part.interpolate(mesh, homogeneous(mesh, camera, size)).T
    column, row = column / away, row / away
    near = _nearest(row, size) * size + _nearest(column, size)
    seen = _in_sight(away, depth.reshape(-1).take(near), facing, camera, size)
    seen &= (column >= 0) & (row >= 0) & (column <= size - 1) & (row <= size - 1)
    used = np.flatnonzero(seen & (picture[..., 3].reshape(-1).take(near) > 0))
    found = bilinear(picture, column.take(used), row.take(used))
    share = found[3] * _ramp(facing.take(used), trust.steep, trust.frontal)
    return part.texels.take(used), share, found[:3]


def _nearest(place: Floats, size: int) -> Index:
    return np.rint(place.clip(0, size - 1)).astype(np.intp)


def _in_sight(away: Floats, depth: Floats, facing: Floats, camera: InputCamera, size: int) -> Bools:
    """Whether points ``away`` from the camera's plane are not behind the ``depth`` of their pixel, allowing
    for how much of their slope a pixel covers.
    """
    slope = np.sqrt(np.maximum(1 / facing**2 - 1, 0))
    # world units across a pixel
    pixel = float(2 * np.tan(np.radians(camera.fov / 2)) / (size * camera.scale)) * away
    return away - depth < BIAS + 2 * slope * pixel


def homogeneous(mesh: Mesh, camera: InputCamera, size: int) -> Floats:
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
    skip, width = rim(alpha)
    depth_inside = np.zeros(alpha.shape, np.float32)
    core = inside
    for ring in range(skip + width):
        core = _eroded(core, diagonal=ring % 2 == 1)  # squares and diamonds in turn: nearly round
        if ring >= skip:
            depth_inside += core
    return _smooth(depth_inside / np.float32(width))


def rim(alpha: Floats) -> tuple[int, int]:
    """Pixels at the rim of the object in a picture (S, S) that are not used, and over how many the picture
    fades in behind them.
    """
    extent = np.sqrt((alpha > 0.5).sum())
    return max(round(ERODE * extent), 1), max(round(FEATHER * extent), 1)


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
    vertices = np.ascontiguousarray(mesh.vertices.T)
    rays = camera.c2w[:3, 3, None] - vertices
    rays /= np.sqrt(dot(rays, rays))
    corners = mesh.faces.T.astype(np.intp)
    a, b, c = (vertices.take(corner, axis=1) for corner in corners)
    normals = cross(b - a, c - a)
    flat = dot(normals, rays.take(corners[0], axis=1))
    if mesh.normals is None:
        flat /= np.maximum(np.sqrt(dot(normals, normals)), 1e-30)
        front = np.flatnonzero((flat > steep).take(raster.faces, mode="clip"))
        return front, flat.take(raster.faces.take(front))
    smooth = dot(np.ascontiguousarray(mesh.normals.T), rays)
    one, two, three = (smooth.take(corner) for corner in corners)
    turned = (flat > 0) & (np.maximum(np.maximum(one, two), three) > steep)
    front = np.flatnonzero(turned.take(raster.faces, mode="clip"))
    faces = raster.faces.take(front).astype(np.intp)
    facing = one.take(faces) * raster.weights[0].take(front)
    facing += two.take(faces) * raster.weights[1].take(front)
    facing += three.take(faces) * raster.weights[2].take(front)
    return front, np.maximum(facing, 1e-3)


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth between."""
    return _smooth(np.clip((values - low) / (high - low), 0, 1))


def _smooth(values: Floats) -> Floats:
    """[0, 1] onto itself with level ends."""
    return values * values * (3 - 2 * values)
