"""The voxel grid of `flexi_grid` as tensors, for a surface that is made where the fields are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from geco.isosurface.flexi_grid import FlexiGrid
from geco.types import Floats


@dataclass
class TensorGrid:
    """:class:`geco.isosurface.flexi_grid.FlexiGrid` on one device: float32, and int64 cubes."""

    vertices: Tensor
    sdf: Tensor
    cubes: Tensor
    beta: Tensor | None = None
    alpha: Tensor | None = None
    gamma: Tensor | None = None
    weight_scale: float = 0.99

    def on_host(self) -> FlexiGrid:
        """The same grid as arrays."""

        def floats(part: Tensor | None) -> Floats | None:
            return None if part is None else part.cpu().numpy()

        return FlexiGrid(
            self.vertices.cpu().numpy(),
            self.sdf.cpu().numpy(),
            self.cubes.cpu().numpy().astype(np.int32),
            floats(self.beta),
            floats(self.alpha),
            floats(self.gamma),
            self.weight_scale,
        )
