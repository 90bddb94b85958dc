"""The texels of a texture on a device: which face each shows, the colours asked there, the gaps filled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from geco.errors import MeshError
from geco.mesh.dilate import RINGS
from geco.on_device import waits
from geco.on_device.types import DeviceMesh, exact
from geco.render.cover_torch import covered


@dataclass
class Texels:
    """:class:`geco.mesh.uv_raster.UVRaster` on a device, in the order of the texels.

    Attributes:
        size: texels a side.
        places: (N,) int64 row * size + column, row 0 at the top, ascending, each once.
        faces: (N,) int64 face of each.
        weights: (N, 3) float32 barycentric weights of the face's corners at the texel's centre.
    """

    size: int
    places: Tensor
    faces: Tensor
    weights: Tensor

    def interpolate(self, mesh: DeviceMesh, attribute: Tensor) -> Tensor:
        """A vertex attribute (V, C) at the covered texels: (N, C) float32."""
        return mesh.mixed(attribute, self.faces, self.weights)

    @cached_property
    def sources(self) -> Tensor:
        """(size^2,) the covered texel that lends each its colour: itself, or one near."""
        image = torch.full((self.size**2,), -1, dtype=torch.long, device=self.places.device)
        image[self.places] = self.places
        return nearest_full(image.reshape(self.size, self.size)).reshape(-1)


def texels_of(mesh: DeviceMesh, size: int) -> Texels:
    """The texels whose centres lie in a triangle of the texture; where several do, the one of highest number
    has it. Raises MeshError without uvs.
    """
    if mesh.uvs is None:
        raise MeshError("the mesh has no texture coordinates", "Unwrap it first.")
    x, y = (mesh.uvs.to(exact(mesh.device)) * size - 0.5).unbind(dim=1)
    corners = mesh.faces.T  # (3, F)
    face, row, column = covered(x[corners], y[corners], size, name="texture", number=waits.number)
    image = torch.full((size * size,), -1, dtype=torch.long, device=mesh.device)
    image = image.scatter_reduce(0, row * size + column, face, "amax")
    places = waits.places(image >= 0, "texels")
    faces = image[places]
    column, row = places % size, torch.div(places, size, rounding_mode="floor")
    ax, bx, cx = x[corners[:, faces]]
    ay, by, cy = y[corners[:, faces]]
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    inverse = torch.where(double != 0, 1 / torch.where(double != 0, double, 1), 0)
    dx, dy = column - ax, row - ay
    # Centres on an edge may miss it by rounding.
    b = ((dx * (cy - ay) + dy * (ax - cx)) * inverse).clamp(0, 1)
    c = torch.minimum(((dx * (ay - by) + dy * (bx - ax)) * inverse).clamp(0, 1), 1 - b)
    return Texels(size, places, faces, torch.stack([1 - b - c, b, c], dim=1).float())


def texels_of_vertices(mesh: DeviceMesh) -> Texels:
    """One texel a vertex that some face uses, at that vertex: the twin of `mesh.vertex_colors`."""
    count, flat = len(mesh.vertices), mesh.faces.reshape(-1)
    numbers = torch.arange(len(flat), device=mesh.device)
    corner = torch.full((count,), -1, dtype=torch.long, device=mesh.device)
    corner = corner.scatter_reduce(0, flat, numbers, "amax")
    used = waits.places(corner >= 0, "vertices that have colours")
    weights = ((corner[used] % 3)[:, None] == torch.arange(3, device=mesh.device)).float()
    size = math.isqrt(count - 1) + 1  # the mesh has faces
    return Texels(size, used, torch.div(corner[used], 3, rounding_mode="floor"), weights)


def bake(mesh: DeviceMesh, color: Callable[[Tensor], Tensor], texels: Texels) -> DeviceMesh:
    """The mesh with a (size, size, 3) uint8 texture of the field's colours, all of it filled.

    Args:
        color: (N, 3) float32 world points to (N, 3) sRGB in [0, 1]; values outside are clipped.

    Raises:
        MeshError: colours that are not finite.
    """
    found = color(texels.interpolate(mesh, mesh.vertices))
    if waits.number((~found.isfinite()).any(), "whether colours are finite"):
        raise MeshError("the colour field gives values that are not finite numbers")
    texture = torch.full((texels.size**2, 3), 255, dtype=torch.uint8, device=mesh.device)
    texture[texels.places] = to_bytes(found)
    return mesh.with_(texture=filled(texture, texels))


def filled(texture: Tensor, texels: Texels) -> Tensor:
    """(size^2, 3) texels, those without a face taken from a covered one near them, as (size, size, 3)."""
    return texture[texels.sources].reshape(texels.size, texels.size, 3)


def to_bytes(values: Tensor) -> Tensor:
    """Numbers in [0, 1], clipped to it, -> the nearest of 256 levels."""
    return torch.round(values.clamp(0, 1) * 255).to(torch.uint8)


def nearest_full(sources: Tensor) -> Tensor:
    """(H, W) numbers, -1 where empty: those filled with one near, as `mesh.dilate.nearest_full` does."""
    for _ in range(RINGS):
        rim = F.pad(sources, (1, 1, 1, 1), value=-1)
        grown = sources
        for beside in (rim[1:-1, :-2], rim[1:-1, 2:], rim[:-2, 1:-1], rim[2:, 1:-1]):
            grown = torch.where(grown < 0, beside, grown)
        sources = grown
    # Pooling knows floats alone; texel numbers of the largest texture, 4096 x 4096, are exact in them.
    return _from_pyramid(sources.float()).long()


def _from_pyramid(sources: Tensor) -> Tensor:
    """Empty cells take what the smallest block around them holds, blocks doubling in size."""
    height, width = sources.shape
    if height * width == 1:
        return sources
    coarse = _from_pyramid(F.max_pool2d(sources[None, None], 2, ceil_mode=True)[0, 0])
    rows, columns = coarse.shape
    wide = coarse[:, None, :, None].expand(rows, 2, columns, 2).reshape(2 * rows, 2 * columns)
    return torch.where(sources < 0, wide[:height, :width], sources)
