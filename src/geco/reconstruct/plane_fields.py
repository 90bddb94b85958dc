"""Fields that live in tensors, asked there and in numpy by the host."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.tensor_grid import TensorGrid
from geco.types import Floats


class HostFields(ABC):
    """The host's half of a :class:`geco.reconstruct.fields.TensorFields`; who inherits it has the other."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the fields live."""

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the surface crosses; raises :class:`MeshError` when there are none."""
        return self.tensor_grid(resolution).on_host()

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""
        rows = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(self.device)
        return self.tensor_color(rows).cpu().numpy()

    @abstractmethod
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the fields live."""

    @abstractmethod
    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the fields live."""


class PlaneFields(HostFields):
    """Fields on planes.

    Attributes:
        planes: where the fields live.
    """

    planes: Tensor

    @property
    def device(self) -> torch.device:
        return self.planes.device
