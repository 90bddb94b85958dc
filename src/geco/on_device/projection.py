"""Lay the input picture on the side that it shows, on a device: the twin of `photo.projection`."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from geco.on_device.fit_camera import Found, Picture
from geco.on_device.texels import Texels, filled, to_bytes
from geco.on_device.types import DeviceMesh
from geco.on_device.view import bilinear
from geco.photo.projection import BIAS, EXACT


def project_picture(mesh: DeviceMesh, texels: Texels, picture: Picture, found: Found) -> DeviceMesh:
    """The mesh whose texture shows the picture where the camera sees the surface well (see
    `photo.projection.project_picture`).

    Args:
        mesh: with normals and a texture. texels: its texture's.
    """
    assert mesh.texture is not None
    size, camera = len(picture.rgba), found.camera
    trusted = _trusted(picture, found.seen.depth)
    image = torch.cat([picture.rgba[..., :3], trusted[..., None]], dim=2)
    facing, front = _facing(mesh, texels, found)
    places, nearness = found.on_device.see(mesh.vertices)
    depth = 1 / nearness[0].clamp_min(1e-9)
    pixels = places[0] * size - 0.5
    # Linear on the surface, unlike the pixels themselves.
    away = texels.interpolate(mesh, torch.cat([pixels * depth[:, None], depth[:, None]], dim=1))
    pixels, depth = away[:, :2] / away[:, 2:], away[:, 2]
    near = torch.round(pixels.clamp(0, size - 1)).long()
    near = near[:, 1] * size + near[:, 0]
    slope = (1 / facing.square() - 1).clamp_min(0).sqrt()
    # World units across a pixel.
    pixel = float(2 * np.tan(np.radians(camera.fov / 2)) / (size * camera.scale)) * depth
    seen = front & (depth - found.seen.depth.reshape(-1)[near] < BIAS + 2 * slope * pixel)
    seen = seen & ((pixels >= 0) & (pixels <= size - 1)).all(dim=1)
    colors = bilinear(image, pixels)
    share = colors[:, 3] * _smooth(((facing - EXACT.steep) / (EXACT.frontal - EXACT.steep)).clamp(0, 1))
    share = torch.where(seen & (trusted.reshape(-1)[near] > 0), share, 0)[:, None]
    texture = mesh.texture.reshape(-1, 3).clone()
    before = texture[texels.places].float() / 255
    # A share of 0 gives the same byte back.
    texture[texels.places] = to_bytes(before + share * (colors[:, :3] - before))
    return mesh.with_(texture=filled(texture, texels))


def _facing(mesh: DeviceMesh, texels: Texels, found: Found) -> tuple[Tensor, Tensor]:
    """(N,) cosines to the viewing ray at the texels, and which of them are turned to the camera enough."""
    assert mesh.normals is not None
    rays = found.on_device.poses[0, :3, 3].float() - mesh.vertices
    rays = rays / torch.linalg.vector_norm(rays, dim=1, keepdim=True)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    flat = (torch.linalg.cross(b - a, c - a) * rays[mesh.faces[:, 0]]).sum(dim=1) > 0
    smooth = (mesh.normals * rays).sum(dim=1)
    front = flat & (smooth[mesh.faces].amax(dim=1) > EXACT.steep)
    facing = texels.interpolate(mesh, smooth[:, None])[:, 0]
    return facing.clamp_min(1e-3), front[texels.faces]


def _trusted(picture: Picture, depth: Tensor) -> Tensor:
    """(S, S) weight of each pixel: 0 near the rim of either outline and near steps of depth, rising smoothly
    to 1 inside (see `photo.projection.trusted`).
    """
    there = depth.isfinite()
    solid = torch.where(there, depth, 0)
    inside = (picture.rgba[..., 3] > 0.99) & there
    for axis in (0, 1):
        jump = torch.diff(solid, dim=axis).abs() > EXACT.step
        before, after = ((0, 0, 0, 1), (0, 0, 1, 0)) if axis == 0 else ((0, 1), (1, 0))
        inside = inside & ~F.pad(jump, before) & ~F.pad(jump, after)
    skip, width = picture.rim
    reached = torch.zeros_like(depth)
    for ring in range(skip + width):
        inside = _eroded(inside, diagonal=ring % 2 == 1)  # squares and diamonds in turn: nearly round
        if ring >= skip:
            reached = reached + inside
    return _smooth(reached / width)


def _eroded(mask: Tensor, diagonal: bool) -> Tensor:
    rim = F.pad(mask, (1, 1, 1, 1))
    rows = rim[:-2] & rim[1:-1] & rim[2:]
    if diagonal:
        return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return rows[:, 1:-1] & rim[1:-1, :-2] & rim[1:-1, 2:]


def _smooth(values: Tensor) -> Tensor:
    """[0, 1] onto itself with level ends."""
    return values * values * (3 - 2 * values)
