"""One object's fields, asked in numpy by the host and in tensors by what is made where the planes are."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from geco.errors import MeshError
from geco.isosurface.tensor_grid import TensorGrid
from geco.reconstruct.density import level_grid
from geco.reconstruct.folded import FoldedDecoder
from geco.reconstruct.instantmesh.decoders import (
    CUBE_WEIGHTS,
    NERF_LEVEL,
    activate_color,
    raw_density,
)
from geco.reconstruct.instantmesh.grid import corner_points, cube_corners, shell_mask, surface_cubes
from geco.reconstruct.instantmesh.mesh import CUBES_AT_ONCE, POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.nerf import NerfSynthesizer
from geco.reconstruct.lattice import Lattice
from geco.reconstruct.plane_fields import PlaneFields
from geco.reconstruct.triplane import PLANE_AXES, point_features

# Given to corners of the outermost layer that are inside, so that the surface closes within the grid.
_CLOSING_SDF = 1e-3
# Cubes whose weights are asked at once on a CPU: the features of their corners stay in the last cache
# (measured, 36,000 cubes: 0.17 s of CPU, 0.30 at 16,384 at once).
CUBES_IN_CACHE = 1 << 10


class MeshSurface(PlaneFields):
    """Fields of planes (1, 3, C, H, W); closed where the public code leaves holes at the grid's border."""

    def __init__(self, synthesizer: MeshSynthesizer, planes: Tensor) -> None:
        self.synthesizer, self.planes = synthesizer, planes

    @property
    def half_extent(self) -> float:
        """Half the grid's side, plus what deformation may add."""
        return self.synthesizer.grid_scale / 2 + 1 / (
            self.synthesizer.grid_res * self.synthesizer.deformation_multiplier
        )

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the planes are."""
        net = self.synthesizer
        axis = net.axis(self.device, resolution)
        sdf = self._folded(net.decoder.net_sdf).on_grid(axis, axis, axis).reshape(-1)
        sdf = _closed(sdf, resolution)
        crossed = cube_corners(_crossed(sdf, resolution), resolution)
        used, cubes = torch.unique(crossed, return_inverse=True)
        points = corner_points(used, axis)
        moved = points + net.bounded(self._folded(net.decoder.net_deformation).at(points), resolution)
        beta, alpha, gamma = self._weights(points, cubes).split(CUBE_WEIGHTS, dim=-1)
        return TensorGrid(
            moved.float(),
            sdf[used].float(),
            cubes,
            beta.float(),
            alpha.float(),
            gamma[:, 0].float(),
            weight_scale=net.weight_scale,
        )

    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the planes are."""
        return activate_color(self._colors.at(points)).clamp(0, 1).float()

    def _weights(self, points: Tensor, cubes: Tensor) -> Tensor:
        """Points (N, 3), cubes (K, 8) of them -> (K, 21); the features of a point are read once."""
        parts = [point_features(self.planes, part[None])[0] for part in points.split(POINTS_AT_ONCE)]
        features = torch.cat(parts)
        size = CUBES_IN_CACHE if self.device.type == "cpu" else CUBES_AT_ONCE
        return torch.cat(
            [self.synthesizer.decoder.weights(features[part][None])[0] for part in cubes.split(size)]
        )

    @cached_property
    def _colors(self) -> FoldedDecoder:
        return self._folded(self.synthesizer.decoder.net_rgb)

    def _folded(self, net: nn.Sequential) -> FoldedDecoder:
        return FoldedDecoder(self.planes[0], net, PLANE_AXES)


class NerfSurface(PlaneFields):
    """The level set of a NeRF's density, on planes (1, 3, C, H, W); its grid has no weights.

    Args:
        level: activated density of the surface (InstantMesh's mesh_threshold).
    """

    half_extent = 1.0

    def __init__(self, synthesizer: NerfSynthesizer, planes: Tensor, level: float = NERF_LEVEL) -> None:
        self.synthesizer, self.planes, self.level = synthesizer, planes, level

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the planes are."""
        raw = Lattice(self._outputs, resolution + 1)
        return level_grid(raw, raw_density(self.level), resolution, self.half_extent, self.device)

    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the planes are."""
        return activate_color(self._outputs.at(points)[:, 1:4]).clamp(0, 1).float()

    @cached_property
    def _outputs(self) -> FoldedDecoder:
        return FoldedDecoder(self.planes[0], self.synthesizer.decoder.net, PLANE_AXES)


def _closed(sdf: Tensor, resolution: int) -> Tensor:
    border = shell_mask(resolution, layers=1, device=sdf.device)
    return torch.where(border, sdf.clamp_min(_CLOSING_SDF), sdf)


def _crossed(sdf: Tensor, resolution: int) -> Tensor:
    crossed = surface_cubes(sdf, resolution)
    if not len(crossed):
        raise MeshError(
            "the reconstruction has no surface: nothing is inside",
            "Try another seed, or check that the picture shows one object.",
        )
    return crossed
