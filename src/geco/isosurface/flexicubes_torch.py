"""FlexiCubes in torch: a surface from a signed field, differentiable in the grid, the field and the weights.

Shen et al. 2023, arXiv 2308.05371; vertex and face order and every constant follow NVIDIA's public code. Runs
on any device. `flexicubes_numpy.extract` is the faster twin where no gradient is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geco.isosurface import tables as cube
from geco.isosurface.connect_torch import DeviceTables, connect, untangle
from geco.isosurface.crossings import Surface
from geco.isosurface.tetrahedra import tetrahedralize

# how strongly flat directions of the error are held to the crossings' mean (public code's qef_reg_scale)
QEF_PULL = 1e-3


class FlexiCubes:
    """Extracts triangle or tetrahedron meshes from a voxel grid.

    Args:
        weight_scale: how far the weights may bend the surface, in [0, 1] (paper's code 0.99, InstantMesh
            0.5).
    """

    def __init__(self, weight_scale: float = 0.99) -> None:
        self.weight_scale = weight_scale
        self._tables: dict[torch.device, DeviceTables] = {}

    def __call__(
        self,
        x: Tensor,
        s: Tensor,
        cubes: Tensor,
        resolution: int | Sequence[int] | None = None,
        beta: Tensor | None = None,
        alpha: Tensor | None = None,
        gamma: Tensor | None = None,
        training: bool = False,
        output_tetmesh: bool = False,
        gradient: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Extract a mesh.

        Args:
            x: (N, 3) grid vertices, possibly deformed.
            s: (N,) signed field, negative inside.
            cubes: (C, 8) corner numbers, any subset of a grid's cubes with every crossing one.
            resolution: taken for likeness with the public code; neighbours are found from ``cubes``.
            beta: (C, 12) raw edge weights; alpha: (C, 8) raw corner weights; gamma: (C,) raw split weights.
            training: split every quad into four triangles about a centre whose place depends smoothly on
                gamma.
            output_tetmesh: fill the inside with tetrahedra.
            gradient: (P, 3) points -> (P, 3) gradient of the field; vertices then minimise the quadratic
                error of the tangent planes (sharp edges; beta and alpha are ignored, nothing is
                differentiable, L_dev is one zero).

        Returns:
            vertices (V, 3); faces (F, 3) counter-clockwise seen from outside, or tetrahedra (T, 4); L_dev
            (M,), the deviation of every crossing's distance to its dual vertex from the mean (paper, equation
            8).
        """
        table = self._on(x.device)
        inside = s < 0
        corners_in = inside[cubes]
        case = (corners_in.long() << torch.arange(8, device=x.device)).sum(dim=1)
        rows = torch.nonzero((case > 0) & (case < 255))[:, 0]
        if len(rows) == 0:
            width = 4 if output_tetmesh else 3
            return x.new_zeros(0, 3), torch.zeros(0, width, dtype=torch.long, device=x.device), x.new_zeros(0)
        surface, entry_cube, local_edge = connect(
            s, cubes[rows].long(), untangle(case[rows], cubes[rows].long(), table), table
        )
        count = int(surface.entry_dual[-1]) + 1

        ends = surface.edge_ends[surface.entry_edge]
        unweighted = _cross(x[ends], s[ends])
        weights = None
        if gradient is not None:
            first_corner = x[cubes[rows][entry_cube, 0].long()]
            vertices = _least_error(unweighted, first_corner, surface.entry_dual, count, gradient)
            deviation = x.new_zeros(1)
        else:
            crossings = unweighted
            if alpha is not None:
                bent = torch.tanh(alpha[rows]) * self.weight_scale + 1
                crossings = _cross(x[ends], s[ends] * bent[entry_cube[:, None], table.edges[local_edge]])
            if beta is not None:
                weights = torch.tanh(beta[rows][entry_cube, local_edge]) * self.weight_scale + 1
            vertices = _mean(crossings, surface.entry_dual, count, weights)
            distance = torch.linalg.vector_norm(unweighted - vertices[surface.entry_dual], dim=-1)
            deviation = (
                distance - _mean(distance[:, None], surface.entry_dual, count)[surface.entry_dual, 0]
            ).abs()

        first, second = self._diagonals(
            vertices, surface, entry_cube, count, None if gamma is None else gamma[rows], gradient
        )
        if training:
            vertices, faces = _split_about_centres(vertices, surface.quads, first, second)
        else:
            faces = _split(surface.quads, first > second)
        if not output_tetmesh:
            return vertices, faces, deviation
        vertices, tetrahedra = tetrahedralize(
            x, inside, cubes.long(), case, rows, vertices, faces, surface, table.face_dual
        )
        return vertices, tetrahedra, deviation

    def _diagonals(
        self,
        vertices: Tensor,
        surface: Surface,
        entry_cube: Tensor,
        count: int,
        gamma: Tensor | None,
        gradient: Callable[[Tensor], Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """(Q,) how good the diagonals 0-2 and 1-3 of every quad are."""
        if gradient is not None:
            normals = torch.nn.functional.normalize(gradient(vertices), dim=-1)[surface.quads]
            return (normals[:, 0] * normals[:, 2]).sum(dim=-1), (normals[:, 1] * normals[:, 3]).sum(dim=-1)
        of_dual = vertices.new_ones(count)
        if gamma is not None:
            of_cube = torch.sigmoid(gamma) * self.weight_scale + (1 - self.weight_scale) / 2
            owner = torch.empty(count, dtype=torch.long, device=gamma.device)
            owner[surface.entry_dual] = entry_cube
            of_dual = of_cube[owner]
        corners = of_dual[surface.quads]
        return corners[:, 0] * corners[:, 2], corners[:, 1] * corners[:, 3]

    def _on(self, device: torch.device) -> DeviceTables:
        if device not in self._tables:
            t = cube.tables()
            arrays = (
                cube.EDGES,
                cube.EDGE_RANK,
                cube.EDGE_SLOT,
                t.dual_count,
                t.dual_edges,
                t.problem_face,
                t.face_dual,
            )
            self._tables[device] = DeviceTables(*(torch.from_numpy(a).long().to(device) for a in arrays))
        return self._tables[device]


def _cross(points: Tensor, field: Tensor) -> Tensor:
    """(M, 3) zero crossings of edges with ends (M, 2, 3) and field values (M, 2)."""
    a, b = field[:, :1], field[:, 1:]
    return (points[:, 0] * b - points[:, 1] * a) / (b - a)


def _mean(values: Tensor, group: Tensor, count: int, weights: Tensor | None = None) -> Tensor:
    """(count, D) weighted means of values (M, D) by group (M,)."""
    each = values.new_ones(len(values), 1) if weights is None else weights[:, None]
    total = values.new_zeros(count, 1).index_add(0, group, each)
    return values.new_zeros(count, values.shape[1]).index_add(0, group, values * each) / total


def _least_error(
    points: Tensor, origin: Tensor, group: Tensor, count: int, gradient: Callable[[Tensor], Tensor]
) -> Tensor:
    """(count, 3) points of least squared distance to the tangent planes of their group's crossings (M, 3)."""
    normals = torch.nn.functional.normalize(gradient(points), dim=-1)
    local = points - origin
    owner = torch.empty(count, dtype=torch.long, device=group.device)
    owner[group] = torch.arange(len(group), device=group.device)
    row = torch.arange(len(group), device=group.device)
    first = torch.full((count,), len(group), device=group.device).scatter_reduce(0, group, row, "amin")
    # Seven rows for the planes (no dual vertex has more edges), three that pull towards the crossings' mean.
    planes, targets = points.new_zeros(count, 10, 3), points.new_zeros(count, 10, 1)
    planes[group, row - first[group]] = normals
    targets[group, row - first[group], 0] = (normals * local).sum(dim=-1)
    planes[:, 7:] = QEF_PULL * torch.eye(3, dtype=points.dtype, device=points.device)
    targets[:, 7:, 0] = QEF_PULL * _mean(local, group, count)
    return torch.linalg.lstsq(planes, targets).solution[..., 0] + origin[owner]


def _split(quads: Tensor, first_diagonal: Tensor) -> Tensor:
    """(2 Q, 3) triangles along diagonal 0-2 where asked, else 1-3."""
    return torch.where(
        first_diagonal[:, None], quads[:, [0, 1, 2, 0, 2, 3]], quads[:, [0, 1, 3, 3, 1, 2]]
    ).reshape(-1, 3)


def _split_about_centres(
    vertices: Tensor, quads: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor]:
    """Vertices with a centre a quad appended, between its diagonals by their weights; (4 Q, 3) triangles."""
    corners = vertices[quads]
    on_first = (corners[:, 0] + corners[:, 2]) / 2
    on_second = (corners[:, 1] + corners[:, 3]) / 2
    total = first + second + 1e-8  # public code's guard
    centres = (on_first * first[:, None] + on_second * second[:, None]) / total[:, None]
    number = torch.arange(len(quads), device=quads.device) + len(vertices)
    sides = quads[:, [0, 1, 1, 2, 2, 3, 3, 0]].reshape(-1, 4, 2)
    faces = torch.cat([sides, number[:, None, None].expand(-1, 4, 1)], dim=-1)
    return torch.cat([vertices, centres]), faces.reshape(-1, 3)
