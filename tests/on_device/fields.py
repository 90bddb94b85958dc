"""An analytic object of real complexity, whose fields answer in numpy and in tensors."""

from __future__ import annotations

import numpy as np
import torch
from benchmarks.surface import laden_figure

from geco.cameras import INPUT_FOV, orbit_poses
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.isosurface.tensor_grid import TensorGrid
from geco.mesh import Mesh
from geco.render.shade_numpy import render_mesh


class Figure:
    """A noisy figure with pack, ring, base and crumbs, its grid with weights as a network gives them."""

    half_extent = 1.0
    device = torch.device("cpu")

    def __init__(self, resolution: int = 48) -> None:
        axis = np.linspace(-1, 1, resolution + 1)
        self._grid = grid_from_volume(laden_figure(*np.meshgrid(axis, axis, axis, indexing="ij")), 1.0)
        rng, count = np.random.default_rng(0), len(self._grid.cubes)
        self._grid.beta, self._grid.alpha, self._grid.gamma = (
            rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((count, 12), (count, 8), count)
        )
        self._grid.weight_scale = 0.5

    def grid(self, resolution: int) -> FlexiGrid:
        return self._grid

    def tensor_grid(self, resolution: int) -> TensorGrid:
        return on_tensors(self._grid)

    def color(self, points: np.ndarray) -> np.ndarray:
        return self.tensor_color(torch.from_numpy(np.ascontiguousarray(points, np.float32))).numpy()

    def tensor_color(self, points: torch.Tensor) -> torch.Tensor:
        """Broad areas with stripes."""
        x, y, z = points.unbind(dim=1)
        broad = torch.stack([0.3 * torch.sin(5 * z), 0.3 * torch.cos(4 * y), 0.3 * torch.sin(6 * x)], dim=1)
        return (0.5 + broad + 0.1 * torch.sin(25 * (x + z))[:, None]).clamp(0, 1)

    def picture(self, elevation: float, size: int = 256) -> np.ndarray:
        """(size, size, 4) what a camera sees of it."""
        mesh = Mesh(*extract(self._grid))
        mesh.colors = self.color(mesh.vertices)
        return render_mesh(mesh, orbit_poses(0.0, elevation, 4.0), INPUT_FOV, size)


def on_tensors(grid: FlexiGrid) -> TensorGrid:
    """A grid on the CPU device."""

    def tensor(values: np.ndarray | None) -> torch.Tensor | None:
        return None if values is None else torch.from_numpy(values)

    weights = [tensor(values) for values in (grid.beta, grid.alpha, grid.gamma)]
    points, sdf = torch.from_numpy(grid.vertices), torch.from_numpy(grid.sdf)
    return TensorGrid(points, sdf, torch.from_numpy(grid.cubes).long(), *weights, grid.weight_scale)
