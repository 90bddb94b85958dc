"""The mesh variant: SDF, deformation and FlexiCubes weights on a grid, differentiable extraction,
colours at points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from geco.isosurface.grids import axis_coordinates
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.decoders import CUBE_WEIGHTS, MeshDecoder
from geco.reconstruct.instantmesh.grid import fill_empty, grid_tensors, surface_cubes
from geco.reconstruct.triplane import point_features

POINTS_AT_ONCE = 1 << 16
CUBES_AT_ONCE = 1 << 14


@dataclass
class GridFields:
    """What the decoders say on a grid of R cubes a side.

    Attributes:
        sdf: (B, N, 1) after the empty-shape rule.
        deformation: (B, N, 3) world units, bounded by 1 / (R * multiplier).
        cubes: per item (K,) numbers of the cubes whose weights were evaluated, those that the surface crosses
            among them.
        weights: per item (K, 21) their raw beta, alpha, gamma.
        empty_penalty: (B,) 0 for shapes with a surface.
        weight_penalty: scalar, mean square of the weights evaluated.
    """

    sdf: Tensor
    deformation: Tensor
    cubes: list[Tensor]
    weights: list[Tensor]
    empty_penalty: Tensor
    weight_penalty: Tensor


@dataclass
class MeshGeometry:
    """Meshes of a batch: vertices (V, 3) world, faces (F, 3) each; the fields behind;
    surface_penalty: mean FlexiCubes L_dev.
    """

    vertices: list[Tensor]
    faces: list[Tensor]
    fields: GridFields
    surface_penalty: Tensor


class MeshSynthesizer(nn.Module):
    """Fields of planes (B, 3, C, H, W); the grid reaches beyond the planes' cube, where features are 0."""

    def __init__(self, config: InstantMeshConfig) -> None:
        super().__init__()
        self.decoder = MeshDecoder(config.triplane_dim)
        self.grid_res, self.grid_scale = config.grid_res, config.grid_scale
        self.weight_scale, self.deformation_multiplier = (
            config.flexicubes_weight_scale,
            config.deformation_multiplier,
        )
        self._grid: tuple[int, Tensor, Tensor] | None = None

    def grid(self, device: torch.device, resolution: int | None = None) -> tuple[Tensor, Tensor]:
        """Corners (N, 3) in world units and cubes (R^3, 8); the last one asked for is kept."""
        resolution = resolution or self.grid_res
        if self._grid is None or self._grid[0] != resolution or self._grid[1].device != device:
            corners, cubes = grid_tensors(resolution, device=device)
            self._grid = (resolution, corners * self.grid_scale, cubes)
        return self._grid[1], self._grid[2]

    def axis(self, device: torch.device, resolution: int) -> Tensor:
        """(R + 1,) coordinates of the grid's corners along each axis, world units."""
        axis = torch.from_numpy(axis_coordinates(resolution))
        return axis.to(device, non_blocking=True) * self.grid_scale

    def sdf(self, planes: Tensor, points: Tensor) -> Tensor:
        """Points (N, 3) shared by the batch -> (B, N, 1)."""
        return _in_chunks(lambda part: self.decoder.sdf(_features(planes, part)), points)

    def deformation(self, planes: Tensor, points: Tensor, resolution: int | None = None) -> Tensor:
        """Points (N, 3) shared by the batch -> (B, N, 3) world units."""
        raw = _in_chunks(lambda part: self.decoder.deformation(_features(planes, part)), points)
        return self.bounded(raw, resolution)

    def bounded(self, raw: Tensor, resolution: int | None = None) -> Tensor:
        """The decoder's deformation -> world units, at most a part of a cube."""
        return torch.tanh(raw) / ((resolution or self.grid_res) * self.deformation_multiplier)

    def cube_weights(self, planes: Tensor, corners: Tensor, cubes: Tensor) -> Tensor:
        """Corners (N, 3), cubes (K, 8) -> (B, K, 21); features are read once a corner and chunk."""

        def weights(part: Tensor) -> Tensor:
            used, inverse = torch.unique(part, return_inverse=True)
            return self.decoder.weights(_features(planes, corners[used])[:, inverse])

        return _in_chunks(weights, cubes, CUBES_AT_ONCE)

    def color(self, planes: Tensor, points: Tensor) -> Tensor:
        """Points (B, P, 3) -> (B, P, 3) in (-0.001, 1.001)."""
        return self.decoder.color(point_features(planes, points))

    def fields(self, planes: Tensor, resolution: int | None = None, everywhere: bool = False) -> GridFields:
        """The decoders on the whole grid.

        Args:
            planes: (B, 3, C, H, W).
            resolution: cubes a side; None takes the trained one.
            everywhere: evaluate deformation and weights at every corner and cube, as the reference does. Else
                only where the surface passes, which gives the same mesh for a fraction of time and memory;
                the deformation is 0 elsewhere, and ``weight_penalty`` is over the cubes evaluated.
        """
        resolution = resolution or self.grid_res
        corners, cubes = self.grid(planes.device, resolution)
        sdf, empty_penalty = fill_empty(self.sdf(planes, corners), resolution)
        if everywhere:
            deformation = self.deformation(planes, corners, resolution)
            numbers = [torch.arange(len(cubes), device=cubes.device)] * len(planes)
            weights = list(self.cube_weights(planes, corners, cubes))
        else:
            deformation = sdf.new_zeros(*sdf.shape[:2], 3)
            numbers, weights = [], []
            for i, item in enumerate(planes.split(1)):
                numbers.append(surface_cubes(sdf[i, :, 0], resolution))
                crossing = cubes[numbers[i]]
                used = torch.unique(crossing)
                deformation[i, used] = self.deformation(item, corners[used], resolution)[0]
                weights.append(self.cube_weights(item, corners, crossing)[0])
        penalty = torch.stack([w.square().mean() for w in weights]).mean()
        return GridFields(sdf, deformation, numbers, weights, empty_penalty, penalty)

    def geometry(
        self, planes: Tensor, resolution: int | None = None, training: bool = False, everywhere: bool = False
    ) -> MeshGeometry:
        """Differentiable meshes; ``training`` takes FlexiCubes' finer triangulation. Arguments as
        :meth:`fields`.
        """
        from geco.isosurface.flexicubes_torch import FlexiCubes

        resolution = resolution or self.grid_res
        corners, cubes = self.grid(planes.device, resolution)
        fields = self.fields(planes, resolution, everywhere)
        extractor = FlexiCubes(weight_scale=self.weight_scale)
        vertices, faces, deviations = [], [], []
        for i, weights in enumerate(fields.weights):
            beta, alpha, gamma = weights.split(CUBE_WEIGHTS, dim=-1)
            moved, own = corners + fields.deformation[i], cubes[fields.cubes[i]]
            found = extractor(
                moved, fields.sdf[i, :, 0], own, resolution, beta, alpha, gamma[:, 0], training=training
            )
            vertices.append(found[0])
            faces.append(found[1])
            deviations.append(found[2])
        return MeshGeometry(vertices, faces, fields, torch.cat([d.reshape(-1) for d in deviations]).mean())


def _features(planes: Tensor, points: Tensor) -> Tensor:
    return point_features(planes, points.expand(len(planes), -1, -1))


def _in_chunks(function: Callable[[Tensor], Tensor], rows: Tensor, size: int = POINTS_AT_ONCE) -> Tensor:
    """``function`` (rows -> (B, rows, K)) over pieces of ``rows``; in training what is inside is
    computed again backwards.
    """
    if torch.is_grad_enabled() and len(rows) > size:
        return torch.cat(
            [checkpoint(function, part, use_reentrant=False) for part in rows.split(size)], dim=1
        )
    return torch.cat([function(part) for part in rows.split(size)], dim=1)
