"""What a camera sees of a mesh on a device: where points fall, and a z-buffer, the twin of
`render.rasterize_numpy`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.on_device import waits
from geco.on_device.types import DeviceMesh, exact
from geco.render.cover_torch import covered
from geco.render.rasterize_numpy import NEAREST
from geco.render.zbuffer_torch import nearest, nearness_at, planes


@dataclass
class Cameras:
    """Some cameras of one lens, each with its window (see `photo.input_camera.InputCamera`), all in the
    device's widest float.

    Attributes:
        poses: (B, 4, 4) camera-to-world.
        scale: (B,). offset: (B, 2) right and down, in parts of the picture.
        focal: in parts of the picture.
    """

    poses: Tensor
    scale: Tensor
    offset: Tensor
    focal: float

    def __getitem__(self, index: Tensor) -> Cameras:
        """Those of the numbers (K,)."""
        return Cameras(self.poses[index], self.scale[index], self.offset[index], self.focal)

    def windowed(self, scale: Tensor, offset: Tensor) -> Cameras:
        """The same cameras with other windows."""
        return Cameras(self.poses, scale, offset, self.focal)

    def see(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Where points (N, 3) are seen, (B, N, 2) right and down in parts of the picture, and 1 / depth
        (B, N), 0 for those not in front; in the type of the points.
        """
        poses = self.poses.to(points.dtype)
        local = (points - poses[:, None, :3, 3]) @ poses[:, :3, :3]
        depth = local[..., 2]
        nearness = torch.where(depth < -NEAREST, -1 / depth, 0)
        focal = self.scale * self.focal
        focal = torch.stack([focal, -focal], dim=1).to(points.dtype)
        middle = (self.offset + 0.5).to(points.dtype)
        return local[..., :2] * nearness[..., None] * focal[:, None] + middle[:, None], nearness


@dataclass
class Seen:
    """What each pixel of a camera sees.

    Attributes:
        faces: (S, S) int64, -1 where nothing is seen.
        weights: (S, S, 3) float32 perspective-correct barycentrics, 0 where nothing is seen.
        depth: (S, S) float32 world units, inf where nothing is seen.
    """

    faces: Tensor
    weights: Tensor
    depth: Tensor

    @property
    def mask(self) -> Tensor:
        return self.faces >= 0


def rasterize(mesh: DeviceMesh, camera: Cameras, size: int, name: str) -> Seen:
    """The z-buffer of one camera; of equally near faces the one of lower number is seen.

    Args:
        name: of the waits.
    """
    places, nearness = camera.see(mesh.vertices.to(exact(mesh.device)))
    corners = mesh.faces.T  # (3, F)
    columns, rows = (places[0, :, axis][corners] * size - 0.5 for axis in (0, 1))
    near = nearness[0][corners]
    face, row, column = covered(columns, rows, size, (near > 0).all(dim=0), name, waits.number)
    lines, count = planes(columns, rows), len(mesh.faces)
    found = nearness_at(near, lines, face, row, column)
    winner = nearest(found, row * size + column, face, size * size, count)
    seen, shown = winner < count, winner.clamp_max(max(count - 1, 0))
    at = torch.arange(size * size, device=face.device)
    column, row = at % size, torch.div(at, size, rounding_mode="floor")
    flat = lines[:, 0, shown] + lines[:, 1, shown] * column + lines[:, 2, shown] * row
    flat = flat.clamp(0, 1)
    weighted = flat * near[:, shown]
    total = weighted.sum(dim=0)
    weights = torch.where(seen, weighted / total, 0).T.float()
    depth = torch.where(seen, flat.sum(dim=0) / total, torch.inf).float()
    faces = torch.where(seen, shown, -1)
    return Seen(faces.reshape(size, size), weights.reshape(size, size, 3), depth.reshape(size, size))


def surface_colors(mesh: DeviceMesh, faces: Tensor, weights: Tensor) -> Tensor:
    """(N, 3) float32 sRGB in [0, 1] of points given by face (N,), where -1 stands for any, and weights
    (N, 3): from the texture, bilinear, or from the vertices.
    """
    faces = faces.clamp_min(0)
    if mesh.texture is None or mesh.uvs is None:
        assert mesh.colors is not None
        return mesh.mixed(mesh.colors, faces, weights)
    uvs = mesh.mixed(mesh.uvs, faces, weights)
    return bilinear(mesh.texture, uvs * len(mesh.texture) - 0.5) / 255


def bilinear(image: Tensor, places: Tensor) -> Tensor:
    """(S, S, C) at N places (column, row), whole numbers at pixel centres, clamped at the borders: (N, C)
    float32.
    """
    size = len(image)
    places = places.clamp(0, size - 1)
    first = places.long().clamp_max(max(size - 2, 0))
    part = (places - first).float()
    step = torch.arange(2, device=image.device).clamp_max(size - 1)
    corners = (first[:, 1] * size + first[:, 0])[:, None, None] + size * step[:, None] + step  # down, across
    found = image.reshape(size * size, -1)[corners].float()
    rows = torch.lerp(found[:, :, 0], found[:, :, 1], part[:, :1, None])
    return torch.lerp(rows[:, 0], rows[:, 1], part[:, 1:])
