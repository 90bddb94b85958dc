"""One object's fields, asked in numpy by the host and in tensors by what is made where the planes are.

TripoSR's world is ours but for its unit (z up, the picture taken from +x, +y to its right): here the cube of
its planes is [-1, 1]^3.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from geco.cameras import Lens
from geco.isosurface.tensor_grid import TensorGrid
from geco.reconstruct.density import level_grid
from geco.reconstruct.folded import FoldedDecoder
from geco.reconstruct.lattice import Lattice
from geco.reconstruct.plane_fields import PlaneFields
from geco.reconstruct.triposr.decoder import PLANE_AXES, activate, raw_level
from geco.reconstruct.triposr.model import TripoSR


class TripoSRSurface(PlaneFields):
    """The level set of a density, on planes (3, C, H, W); its grid has no weights."""

    half_extent = 1.0

    def __init__(self, model: TripoSR, planes: Tensor) -> None:
        self.model, self.planes = model, planes.float()

    @property
    def lens(self) -> Lens:
        """Of the camera that takes the picture."""
        config = self.model.config
        return Lens(config.picture_fov, config.picture_distance / config.radius)

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the planes are."""
        config = self.model.config
        lattice = Lattice(self._outputs, resolution + 1)
        level = raw_level(config.level, config.density_activation, config.density_bias)
        return level_grid(lattice, level, resolution, self.half_extent, self.device)

    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the planes are."""
        raw = self._outputs.at(points.float())[:, 1:]
        return activate(raw, self.model.config.color_activation).clamp(0, 1)

    @cached_property
    def _outputs(self) -> FoldedDecoder:
        return FoldedDecoder(self.planes, self.model.decoder.layers, PLANE_AXES)
