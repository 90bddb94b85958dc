"""The small reconstructor's fields for one object, asked in numpy: what extraction and baking need."""

from __future__ import annotations

import numpy as np
import torch

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.grids import sparse_grid
from geco.reconstruct.small.model import SceneFeatures, SmallReconstructor
from geco.types import Floats

CHUNK = 1 << 16  # points a call: bounds the memory of the per-view samples


class SmallSurface:
    """A :class:`geco.reconstruct.fields.SurfaceFields` on torch.

    Args:
        model: in evaluation mode.
        features: of one object (batch 1), on the model's device.
    """

    half_extent = 1.0  # objects lie in the ball of radius 0.95

    def __init__(self, model: SmallReconstructor, features: SceneFeatures) -> None:
        self._model, self._features = model, features

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the surface crosses; raises MeshError where nothing is inside."""
        return sparse_grid(self._sdf, self.half_extent, resolution)

    def color(self, points: Floats) -> Floats:
        """(N, 3) world units -> (N, 3) sRGB in [0, 1]."""
        return np.clip(self._ask(points, color=True), 0.0, 1.0)

    def _sdf(self, points: Floats) -> Floats:
        distance = self._ask(points, color=False)
        # Nothing may cross the grid's border, or the mesh would be open there.
        outside = np.abs(points).max(axis=1) >= self.half_extent
        return np.where(outside, np.maximum(distance, 1e-3), distance).astype(np.float32)

    @torch.no_grad()
    def _ask(self, points: Floats, color: bool) -> Floats:
        field = self._model.color if color else self._model.sdf
        device = self._features.volume.device
        parts = [
            field(self._features, torch.from_numpy(points[i : i + CHUNK])[None].to(device))[0].cpu().numpy()
            for i in range(0, len(points), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float32)
