"""One object's fields, asked in numpy by the host and in tensors by what is made where the planes are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from geco.errors import MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.tensor_grid import TensorGrid
from geco.reconstruct.instantmesh.decoders import CUBE_WEIGHTS, NERF_LEVEL
from geco.reconstruct.instantmesh.grid import grid_tensors, shell_mask, surface_cubes
from geco.reconstruct.instantmesh.mesh import POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.nerf import NerfSynthesizer
from geco.types import Floats

# Given to corners of the outermost layer that are inside, so that the surface closes within the grid.
_CLOSING_SDF = 1e-3


class MeshSurface:
    """Fields of planes (1, 3, C, H, W); closed where the public code leaves holes at the grid's border."""

    def __init__(self, synthesizer: MeshSynthesizer, planes: Tensor) -> None:
        self.synthesizer, self.planes = synthesizer, planes

    @property
    def half_extent(self) -> float:
        """Half the grid's side, plus what deformation may add."""
        return self.synthesizer.grid_scale / 2 + 1 / (
            self.synthesizer.grid_res * self.synthesizer.deformation_multiplier
        )

    @property
    def device(self) -> torch.device:
        return self.planes.device

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the surface crosses; raises :class:`MeshError` when there are none."""
        return self.tensor_grid(resolution).on_host()

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the planes are."""
        net = self.synthesizer
        corners, cubes = net.grid(self.planes.device, resolution)
        sdf = _closed(net.sdf(self.planes, corners)[0, :, 0], resolution)
        cubes = cubes[_crossed(sdf, resolution)]
        used, local = torch.unique(cubes, return_inverse=True)
        moved = corners[used] + net.deformation(self.planes, corners[used], resolution)[0]
        beta, alpha, gamma = net.cube_weights(self.planes, corners, cubes)[0].split(CUBE_WEIGHTS, dim=-1)
        return TensorGrid(
            moved.float(),
            sdf[used].float(),
            local,
            beta.float(),
            alpha.float(),
            gamma[:, 0].float(),
            weight_scale=net.weight_scale,
        )

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""
        return _asked(self.tensor_color, points, self.device)

    @torch.no_grad()
    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the planes are."""
        return _colors(lambda part: self.synthesizer.color(self.planes, part), points)


class NerfSurface:
    """The level set of a NeRF's density, on planes (1, 3, C, H, W).

    Args:
        level: activated density of the surface (InstantMesh's mesh_threshold).
    """

    half_extent = 1.0

    def __init__(self, synthesizer: NerfSynthesizer, planes: Tensor, level: float = NERF_LEVEL) -> None:
        self.synthesizer, self.planes, self.level = synthesizer, planes, level

    @property
    def device(self) -> torch.device:
        return self.planes.device

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the level set crosses, without weights; raises :class:`MeshError` when
        there are none.
        """
        return self.tensor_grid(resolution).on_host()

    @torch.no_grad()
    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` where the planes are."""
        density = self.synthesizer.density_grid(self.planes, resolution + 1)
        sdf = _closed((self.level - density).reshape(-1), resolution)
        corners, cubes = grid_tensors(resolution, device=sdf.device)
        used, local = torch.unique(cubes[_crossed(sdf, resolution)], return_inverse=True)
        return TensorGrid(corners[used] * 2, sdf[used].float(), local)

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""
        return _asked(self.tensor_color, points, self.device)

    @torch.no_grad()
    def tensor_color(self, points: Tensor) -> Tensor:
        """:meth:`color` where the planes are."""
        return _colors(lambda part: self.synthesizer.raw(self.planes, part)[0], points)


def _closed(sdf: Tensor, resolution: int) -> Tensor:
    border = shell_mask(resolution, layers=1, device=sdf.device)
    return torch.where(border, sdf.clamp_min(_CLOSING_SDF), sdf)


def _crossed(sdf: Tensor, resolution: int) -> Tensor:
    crossed = surface_cubes(sdf, resolution)
    if not len(crossed):
        state = "nothing is inside" if float(sdf.min()) >= 0 else "everything is inside"
        raise MeshError(
            f"the reconstruction has no surface: {state}",
            "Try another seed, or check that the picture shows one object.",
        )
    return crossed


def _colors(field: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """(N, 3) -> (N, 3) float32 in [0, 1], a bounded number of points at a time."""
    if not len(points):
        return points.new_zeros(0, 3)
    parts = [field(part[None])[0].clamp(0, 1).float() for part in points.split(POINTS_AT_ONCE)]
    return torch.cat(parts)


def _asked(field: Callable[[Tensor], Tensor], points: Floats, device: torch.device) -> Floats:
    rows = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(device)
    return field(rows).cpu().numpy()
