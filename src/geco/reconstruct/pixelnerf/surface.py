"""The surface of a scene: a level of its density, coloured as it is seen from outside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from geco.isosurface.tensor_grid import TensorGrid
from geco.reconstruct.density import level_grid
from geco.reconstruct.pixelnerf.model import PixelNeRF, Scene
from geco.reconstruct.plane_fields import HostFields
from geco.reconstruct.small.fields import DIRECT, between_lattice_points
from geco.types import Floats

LATTICE = 88  # cells a side: 0.032 world units, a pixel of a 64 px picture is 0.033
CHUNK = 1 << 13  # points at a time: what the point network makes of them stays in the cache


class PixelNeRFSurface(HostFields):
    """A :class:`geco.reconstruct.fields.TensorFields` of one object; its grid has no weights.

    Args:
        model: in evaluation mode.
        scene: of one object (batch 1).
    """

    def __init__(self, model: PixelNeRF, scene: Scene) -> None:
        self.model, self.scene = model, scene

    @property
    def device(self) -> torch.device:
        return self.scene.maps.device

    @property
    def half_extent(self) -> float:
        return self.model.config.half_extent

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the scene is."""
        lattice = _Lattice(self, resolution + 1)
        return level_grid(lattice, self.model.raw_level, resolution, self.half_extent, self.device)

    @torch.no_grad()
    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the scene is: each point looked at from straight outside."""
        parts = []
        for some in points.float().split(CHUNK):
            inward = F.normalize(-some, dim=-1)
            parts.append(self.model.outputs(self.scene, some[None], inward[None])[0][0])
        return torch.cat(parts) if parts else points.new_zeros(0, 3)

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]; many points are interpolated on a lattice about as
        fine as the picture's pixels.
        """
        if len(points) <= DIRECT:
            return super().color(points)
        return between_lattice_points(super().color, points, self.half_extent, LATTICE)

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        """(N, 3) -> (N,) densities before their activation."""
        parts = [self.model.raw_density(self.scene, some[None])[0, :, 0] for some in points.split(CHUNK)]
        return torch.cat(parts).float() if parts else points.new_zeros(0)


class _Lattice:
    """A :class:`geco.reconstruct.density.LatticeField` of ``side`` points a side of the fields' cube."""

    def __init__(self, fields: PixelNeRFSurface, side: int) -> None:
        self.fields, self.side = fields, side
        extent = fields.half_extent
        self.axis = torch.linspace(-extent, extent, side, device=fields.device)

    def at(self, numbers: Tensor) -> Tensor:
        """As the protocol says."""
        rows = torch.div(numbers, self.side, rounding_mode="floor")
        x = torch.div(rows, self.side, rounding_mode="floor")
        places = (x, rows - x * self.side, numbers - rows * self.side)
        return self.fields.density(torch.stack([self.axis[place] for place in places], dim=-1))
