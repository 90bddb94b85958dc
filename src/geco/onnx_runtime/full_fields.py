"""InstantMesh's fields on ONNX Runtime: what :class:`geco.reconstruct.instantmesh.surface.MeshSurface` says,
asked of graphs and put together in numpy.
"""

from __future__ import annotations

import numpy as np

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.grids import axis_coordinates, corner_steps, first_corners, mixed
from geco.onnx_runtime.session import Network
from geco.reconstruct.fields import no_object
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.types import Array, Floats

POINTS, CUBES = 1 << 16, 1 << 13  # asked at a time
CLOSING = 1e-3  # given to corners of the outermost layer that are inside: the surface closes in the grid


class FullFields:
    """A :class:`geco.reconstruct.fields.SurfaceFields` of planes (1, 3, C, H, W).

    Args:
        fields, cubes: graphs of the decoders.
    """

    def __init__(self, fields: Network, cubes: Network, config: InstantMeshConfig, planes: Floats) -> None:
        self._fields, self._cubes, self._config, self._planes = fields, cubes, config, planes

    @property
    def half_extent(self) -> float:
        """Half the grid's side, plus what deformation may add."""
        config = self._config
        return config.grid_scale / 2 + 1 / (config.grid_res * config.deformation_multiplier)

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the surface crosses; raises MeshError when there are none."""
        config, side = self._config, resolution + 1
        axis = axis_coordinates(resolution) * np.float32(config.grid_scale)
        rows = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        layers = []
        for x in axis:
            points = np.concatenate([np.full((len(rows), 1), x, np.float32), rows], axis=1)
            layers.append(self._asked(points)[0])
        sdf = np.stack(layers).reshape(side, side, side)
        border = np.ones(sdf.shape, bool)
        border[1:-1, 1:-1, 1:-1] = False
        sdf = np.where(border, np.maximum(sdf, np.float32(CLOSING)), sdf)
        first = first_corners(mixed(np.less(sdf, 0)))
        if not len(first):
            raise no_object()
        used, numbers = np.unique(first[:, None] + corner_steps(resolution), return_inverse=True)
        cubes = numbers.reshape(-1, 8)
        points = np.stack([axis[part] for part in np.unravel_index(used, sdf.shape)], axis=1)
        bound = np.float32(resolution * config.deformation_multiplier)
        moved = points + np.tanh(self._asked(points)[1]) / bound
        beta, alpha, gamma = np.split(self._weights(points, cubes), [12, 20], axis=1)
        return FlexiGrid(
            moved.astype(np.float32, copy=False),
            sdf.reshape(-1)[used],
            cubes.astype(np.int32),
            beta,
            alpha,
            gamma[:, 0],
            config.flexicubes_weight_scale,
        )

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""
        return self._asked(np.ascontiguousarray(points, np.float32))[2]

    def _asked(self, points: Floats) -> list[Floats]:
        """Signed distance (N,), raw deformation (N, 3) and colour (N, 3) at points (N, 3)."""
        parts = [
            self._fields(planes=self._planes, points=points[start : start + POINTS])
            for start in range(0, len(points), POINTS)
        ]
        return [np.concatenate(found) for found in zip(*parts)]

    def _weights(self, points: Floats, cubes: Array) -> Floats:
        """FlexiCubes' raw weights (K, 21) of cubes (K, 8), whose corners' features are read once a part."""
        parts = []
        for start in range(0, len(cubes), CUBES):
            used, numbers = np.unique(cubes[start : start + CUBES], return_inverse=True)
            rows = numbers.reshape(-1, 8).astype(np.int64)
            parts.append(self._cubes(planes=self._planes, corners=points[used], cubes=rows)[0])
        return np.concatenate(parts)
