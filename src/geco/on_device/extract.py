"""FlexiCubes on a device for a surface that needs no gradient: the twin of `flexicubes_numpy`, the same
vertices and faces in the same order.

Every cube computes all of its twelve edges, crossed or not, so that a vertex is a sum over a row: nothing is
added by several threads, nothing is looked for, and the host waits twice, for the numbers of vertices and of
quads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.isosurface import tables as cube
from geco.isosurface.connect_torch import case_numbers
from geco.isosurface.tensor_grid import TensorGrid
from geco.on_device import waits
from geco.on_device.types import DeviceMesh, exact


@dataclass
class _Tables:
    """Of :mod:`geco.isosurface.tables`, on a device."""

    start: Tensor
    end: Tensor
    rank: Tensor
    slot: Tensor
    edge_dual: Tensor
    problem_face: Tensor


@dataclass
class _Numbers:
    """Of each cube: its corners (C, 8), the vertex of each edge within the cube (C, 12), -1 where it is not
    crossed, how many vertices (C,), which is the first (C,); ``total`` of all.
    """

    cubes: Tensor
    dual: Tensor
    count: Tensor
    first: Tensor
    total: int

    def at_edge(self) -> Tensor:
        """(C, 12) the surface's vertex at each edge, ``total`` where it is not crossed."""
        return torch.where(self.dual >= 0, self.first[:, None] + self.dual, self.total)


def extract(grid: TensorGrid) -> DeviceMesh:
    """The surface of a grid: what :func:`geco.isosurface.flexicubes_numpy.extract` gives, on the grid's
    device. Empty where nothing crosses.
    """
    known = cube.tables()
    arrays = (*cube.EDGES.T, cube.EDGE_RANK, cube.EDGE_SLOT, known.edge_dual, known.problem_face)
    table = _Tables(*(waits.sent(values, grid.cubes.device) for values in arrays))
    case = _untangled(case_numbers(grid.sdf, grid.cubes), grid, table.problem_face)
    numbers = _numbered(case, grid.cubes, table.edge_dual)
    return DeviceMesh(_vertices(grid, numbers, table), _faces(grid, numbers, table))


def _untangled(case: Tensor, grid: TensorGrid, problem_face: Tensor) -> Tensor:
    """Both of two problem cases that meet at their ambiguous face inverted (`Tables.problem_face`)."""
    face = problem_face[case]
    inverted = torch.zeros_like(face, dtype=torch.bool)
    nobody = len(grid.sdf)
    for axis in range(3):
        # The neighbour towards +axis has as its corner 0 this cube's corner one step along that axis.
        near, far = grid.cubes[:, 0], grid.cubes[:, 1 << axis]
        for side, mine, theirs in ((1, far, near), (0, near, far)):
            asked = torch.zeros(nobody + 1, dtype=torch.bool, device=case.device)
            asked.index_fill_(0, torch.where(face >= 0, theirs, nobody), True)
            inverted |= (face == 2 * axis + side) & asked[mine]
    return torch.where(inverted, 255 - case, case)


def _numbered(case: Tensor, cubes: Tensor, edge_dual: Tensor) -> _Numbers:
    """Vertices in the public code's order: those of cubes with one come first, then those with two, …"""
    dual = edge_dual[case]
    count = dual.amax(dim=1) + 1
    ordered, order = torch.sort(count, stable=True)
    ends = torch.cumsum(ordered, dim=0)
    first = torch.empty_like(count)
    first[order] = ends - ordered
    total = waits.number(ends[-1], "surface vertices") if len(case) else 0
    return _Numbers(cubes, dual, count, first, total)


def _vertices(grid: TensorGrid, numbers: _Numbers, table: _Tables) -> Tensor:
    """(V, 3) float32: means of the crossings of each loop's edges, by beta."""
    start, end = numbers.cubes[:, table.start], numbers.cubes[:, table.end]
    a, b = grid.sdf[start], grid.sdf[end]
    if grid.alpha is not None:
        bent = torch.tanh(grid.alpha) * grid.weight_scale + 1
        a, b = a * bent[:, table.start], b * bent[:, table.end]
    part = (b / torch.where(numbers.dual >= 0, b - a, 1))[..., None]
    points = grid.vertices[start] * part + grid.vertices[end] * (1 - part)  # (C, 12, 3)
    weights = torch.ones_like(part)
    if grid.beta is not None:
        weights = (torch.tanh(grid.beta) * grid.weight_scale + 1)[..., None]
    weighted = torch.cat([points * weights, weights], dim=2).to(exact(points.device))
    out = torch.empty(numbers.total + 1, 3, device=points.device)
    for number in range(4):
        sums = torch.where((numbers.dual == number)[..., None], weighted, 0).sum(dim=1)  # (C, 4)
        # Cubes without so many vertices write to the last row, which is dropped.
        target = torch.where(numbers.count > number, numbers.first + number, numbers.total)
        out[target] = (sums[:, :3] / torch.where(sums[:, 3:] > 0, sums[:, 3:], 1)).float()
    return out[:-1]


def _faces(grid: TensorGrid, numbers: _Numbers, table: _Tables) -> Tensor:
    """(F, 3) two triangles around every closed edge."""
    at_edge, keys = numbers.at_edge(), 3 * len(grid.sdf)
    key = torch.where(numbers.dual >= 0, 3 * numbers.cubes[:, table.start] + table.rank, keys)
    around = torch.full((4 * (keys + 1),), -1, dtype=torch.long, device=key.device)
    around[4 * key + table.slot] = at_edge
    around = around.reshape(-1, 4)[:-1]
    whole = waits.places((around >= 0).all(dim=1), "surface quads")
    outward = grid.sdf[torch.div(whole, 3, rounding_mode="floor")] > 0
    q0, q1, q2, q3 = around[whole].unbind(dim=1)
    a, b = torch.where(outward, q0, q2), torch.where(outward, q1, q3)
    c, d = torch.where(outward, q3, q1), torch.where(outward, q2, q0)
    other = torch.zeros_like(a, dtype=torch.bool)
    if grid.gamma is not None:
        of_cube = torch.sigmoid(grid.gamma) * grid.weight_scale + (1 - grid.weight_scale) / 2
        gamma = torch.empty(numbers.total + 1, device=key.device)
        gamma[at_edge] = of_cube[:, None].expand_as(at_edge)
        other = gamma[a] * gamma[c] > gamma[b] * gamma[d]
    first, second = (a, b, torch.where(other, c, d)), (torch.where(other, a, d), torch.where(other, c, b))
    return torch.stack((*first, *second, torch.where(other, d, c)), dim=1).reshape(-1, 3)
