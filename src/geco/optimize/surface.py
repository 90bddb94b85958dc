"""What is optimised last: FlexiCubes about the volume's surface, and the colours on it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.errors import MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.isosurface.grids import voxel_grid
from geco.optimize.volume import EXTENT, Volume
from geco.reconstruct.fields import no_object
from geco.types import Floats

# Cells to either side of the volume's surface that the mesh may move in.
BAND = 3.0
# Widths of the density's edge by which a volume's outline lies outside of its distance 0: 2.5 to 2.9 of a
# ball of 0.6, none of a flat side.
LOOKS_SOLID = 1.5
# FlexiCubes' default (its paper's code): how far the weights may bend the surface.
WEIGHT_SCALE = 0.99
# Of a cell: how far a grid vertex may be moved; at 0.5 two could meet.
DEFORM = 0.45


class SoftSurface(nn.Module):
    """The cubes near a volume's surface, with a FlexiCubes mesh in them; and a :class:`SurfaceFields`.

    Args:
        cells: a side of the whole grid. corners: (N, 3) the vertices of the cubes, world units.
        cubes: (C, 8) their numbers. tint: of :class:`geco.optimize.volume.Volume`.
    """

    corners: Tensor
    cubes: Tensor
    free: Tensor

    def __init__(self, cells: int, corners: Tensor, cubes: Tensor, tint: Tensor) -> None:
        super().__init__()
        self.cell = 2 * EXTENT / cells
        self.register_buffer("corners", corners)
        self.register_buffer("cubes", cubes)
        # What lies on the outside of the cubes keeps its side, so that the mesh stays closed.
        shared = torch.bincount(cubes.reshape(-1), minlength=len(corners))
        self.register_buffer("free", shared == 8)
        nothing = corners.new_zeros
        self.sdf = nn.Parameter(nothing(len(corners)))  # in cells
        self.deform = nn.Parameter(nothing(len(corners), 3))
        self.alpha = nn.Parameter(nothing(len(cubes), 8))
        self.beta = nn.Parameter(nothing(len(cubes), 12))
        self.gamma = nn.Parameter(nothing(len(cubes)))
        self.tint = nn.Parameter(tint.detach().clone())
        self._flexicubes = FlexiCubes(WEIGHT_SCALE)

    @classmethod
    @torch.no_grad()
    def about(cls, volume: Volume, cells: int, width: float = 0.0) -> SoftSurface:
        """The surface of a volume, in the cubes within :data:`BAND` of it, where a density of this width
        looks solid.

        Raises:
            MeshError: it holds none.
        """
        vertices, numbers = voxel_grid(cells, rounded=False)
        points = torch.from_numpy(vertices * np.float32(2 * EXTENT)).to(volume.sdf.device)
        cubes = torch.from_numpy(numbers).long().to(points.device)
        sdf = volume.at(points)[0] - LOOKS_SOLID * width
        border = points.abs().amax(dim=1) > EXTENT - 1e-4
        sdf = torch.where(border, sdf.clamp(min=1e-3), sdf) * (cells / (2 * EXTENT))
        inside = (sdf < 0)[cubes]
        if not inside.any():
            raise no_object()
        near = sdf[cubes].abs().amin(dim=1) < BAND
        used, number = torch.unique(
            cubes[near | (inside.any(dim=1) & ~inside.all(dim=1))], return_inverse=True
        )
        made = cls(cells, points[used], number, volume.tint)
        made.sdf.copy_(sdf[used])
        return made

    @classmethod
    def of(cls, tensors: dict[str, Tensor], cells: int) -> SoftSurface:
        """Of what ``state_dict`` gave."""
        made = cls(cells, tensors["corners"], tensors["cubes"], tensors["tint"])
        made.load_state_dict(tensors)
        return made

    def shape_parameters(self) -> list[nn.Parameter]:
        """All but the colours'."""
        return [self.sdf, self.deform, self.alpha, self.beta, self.gamma]

    def mesh(self) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices (V, 3) and faces (F, 3), with gradients; FlexiCubes' deviation (M,), in cells.

        Raises:
            MeshError: nothing is left of the surface.
        """
        sdf = torch.where(self.free, self.sdf, self.sdf.detach()) * self.cell
        vertices, faces, deviation = self._flexicubes(
            self._moved(), sdf, self.cubes, beta=self.beta, alpha=self.alpha, gamma=self.gamma, training=False
        )
        if not len(faces):
            raise MeshError("nothing is left of the surface", "Optimise more gently: a smaller mesh_rate.")
        return vertices, faces, deviation / self.cell

    def _moved(self) -> Tensor:
        moved = torch.tanh(self.deform) * (DEFORM * self.cell)
        return self.corners + torch.where(self.free[:, None], moved, 0)

    def tensor_color(self, points: Tensor) -> Tensor:
        """Colours (N, 3) in [0, 1] at world points (N, 3), without gradients to the points."""
        where = points.detach()[None, None, None] / EXTENT
        return torch.sigmoid(F.grid_sample(self.tint[None], where, align_corners=True)[0, :, 0, 0].T)

    @property
    def half_extent(self) -> float:
        """Of :class:`geco.reconstruct.fields.SurfaceFields`."""
        return EXTENT

    @torch.no_grad()
    def grid(self, resolution: int) -> FlexiGrid:
        """The grid that was optimised, whatever ``resolution`` is asked for."""
        fields = (self._moved(), self.sdf * self.cell, self.cubes.int(), self.beta, self.alpha, self.gamma)
        vertices, sdf, cubes, beta, alpha, gamma = (field.cpu().numpy() for field in fields)
        return FlexiGrid(vertices, sdf, cubes, beta, alpha, gamma, WEIGHT_SCALE)

    @torch.no_grad()
    def color(self, points: Floats) -> Floats:
        """As the protocol says."""
        found: Floats = self.tensor_color(torch.from_numpy(points).to(self.tint.device)).cpu().numpy()
        return found


def laplacian(vertices: Tensor, faces: Tensor) -> Tensor:
    """(V, 3) from each vertex to the mean of its neighbours."""
    ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    total = torch.zeros_like(vertices).index_add(0, ends[:, 0], vertices[ends[:, 1]])
    total = total.index_add(0, ends[:, 1], vertices[ends[:, 0]])
    count = vertices.new_zeros(len(vertices)).index_add(0, ends.reshape(-1), vertices.new_ones(ends.numel()))
    return total / count.clamp(min=1)[:, None] - vertices
