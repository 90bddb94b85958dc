"""FlexiCubes in torch: a surface from a signed field, differentiable in the grid, the field and the weights.

Shen et al. 2023, arXiv 2308.05371; vertex and face order and every constant follow NVIDIA's public code. Runs
on any device. `flexicubes_numpy.extract` is the faster twin where no gradient is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geco.isosurface import tables as cube
from geco.isosurface.connect_torch import DeviceTables, Entries, case_numbers, connect, untangle
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
        case = case_numbers(s, cubes)
        rows = torch.nonzero((case > 0) & (case < 255))[:, 0]
        if len(rows) == 0:
            width = 4 if output_tetmesh else 3
            return x.new_zeros(0, 3), torch.zeros(0, width, dtype=torch.long, device=x.device), x.new_zeros(0)
        crossed = cubes[rows].long()
        entries = connect(s, crossed, untangle(case[rows], crossed, table), table)
        surface = entries.surface
        ends = surface.edge_ends[surface.entry_edge]
        crossings = _cross(x[ends], s[ends])
        if gradient is not None:
            vertices = _least_error(crossings, x[crossed[entries.cube, 0]], entries, gradient)
            deviation = x.new_zeros(1)
        else:
            weights = None if alpha is None else alpha[rows], None if beta is None else beta[rows]
            vertices = self._weighted(x[ends], s[ends], entries, *weights)
            deviation = _deviation(crossings, vertices, entries)
        first, second = self._diagonals(vertices, entries, None if gamma is None else gamma[rows], gradient)
        if training:
            vertices, faces = _split_about_centres(vertices, surface.quads, first, second)
        else:
            faces = _split(surface.quads, first > second)
        if output_tetmesh:
            vertices, faces = tetrahedralize(x, s, cubes.long(), vertices, faces, surface, table.face_dual)
        return vertices, faces, deviation

    def _weighted(
        self, points: Tensor, field: Tensor, entries: Entries, alpha: Tensor | None, beta: Tensor | None
    ) -> Tensor:
        """(V, 3) dual vertices, means of crossings: between points (M, 2, 3), where the field (M, 2) is 0.

        ``alpha`` (C, 8) bends the field at corners, ``beta`` (C, 12) weighs the crossings of edges.
        """
        if alpha is not None:
            bent = torch.tanh(alpha) * self.weight_scale + 1
            field = field * bent[entries.cube[:, None], entries.corners]
        weights = None
        if beta is not None:
            weights = torch.tanh(beta[entries.cube, entries.edge]) * self.weight_scale + 1
        return _mean(_cross(points, field), entries.surface.entry_dual, entries.count, weights)

    def _diagonals(
        self,
        vertices: Tensor,
        entries: Entries,
        gamma: Tensor | None,
        gradient: Callable[[Tensor], Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """(Q,) how good the diagonals 0-2 and 1-3 of every quad are."""
        surface = entries.surface
        if gradient is not None:
            normals = torch.nn.functional.normalize(gradient(vertices), dim=-1)[surface.quads]
            return (normals[:, 0] * normals[:, 2]).sum(dim=-1), (normals[:, 1] * normals[:, 3]).sum(dim=-1)
        of_dual = vertices.new_ones(entries.count)
        if gamma is not None:
            of_cube = torch.sigmoid(gamma) * self.weight_scale + (1 - self.weight_scale) / 2
            owner = torch.empty(entries.count, dtype=torch.long, device=gamma.device)
            owner[surface.entry_dual] = entries.cube
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


def _deviation(crossings: Tensor, vertices: Tensor, entries: Entries) -> Tensor:
    """(M,) how far each crossing's distance to its dual vertex is from the mean of that vertex."""
    dual = entries.surface.entry_dual
    distance = torch.linalg.vector_norm(crossings - vertices[dual], dim=-1)
    return (distance - _mean(distance[:, None], dual, entries.count)[dual, 0]).abs()


def _least_error(
    points: Tensor, origin: Tensor, entries: Entries, gradient: Callable[[Tensor], Tensor]
) -> Tensor:
    """(count, 3) points of least squared distance to the tangent planes of their group's crossings (M, 3)."""
    group, count = entries.surface.entry_dual, entries.count
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
