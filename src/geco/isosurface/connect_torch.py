"""Which edges of a grid a surface crosses, and which dual vertices and quads that makes: FlexiCubes without
any coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.isosurface.crossings import Surface


@dataclass(frozen=True)
class DeviceTables:
    """The arrays of `tables` as tensors on one device."""

    edges: Tensor
    edge_rank: Tensor
    edge_slot: Tensor
    dual_count: Tensor
    dual_edges: Tensor
    problem_face: Tensor
    face_dual: Tensor


@dataclass
class Entries:
    """The crossed edges of every cube, each once a cube: M entries of a surface with ``count`` dual vertices.

    Attributes:
        surface: how they hang together.
        cube: (M,) which of the crossing cubes.
        edge: (M,) which of its edges; corners: (M, 2) which of its corners these join.
    """

    surface: Surface
    cube: Tensor
    edge: Tensor
    corners: Tensor

    @property
    def count(self) -> int:
        return int(self.surface.entry_dual[-1]) + 1


def case_numbers(s: Tensor, cubes: Tensor) -> Tensor:
    """(C,) bit c is set where corner c of a cube is inside; ``s`` (N,) negative inside, ``cubes`` (C, 8)."""
    return ((s < 0)[cubes].long() << torch.arange(8, device=s.device)).sum(dim=1)


@torch.no_grad()
def untangle(case: Tensor, cubes: Tensor, table: DeviceTables) -> Tensor:
    """Invert both of two problem cases that meet at their ambiguous face (see
    `tables.Tables.problem_face`).
    """
    face_of = table.problem_face[case]
    problem = torch.nonzero(face_of >= 0)[:, 0]
    case = case.clone()
    for face in range(6):
        # The neighbour towards +axis has as its corner 0 this cube's corner 2^axis, the one step along that
        # axis.
        asking = problem[face_of[problem] == face]
        step = 1 << face // 2
        mine, theirs = (step, 0) if face % 2 else (0, step)
        inverted = asking[torch.isin(cubes[asking, mine], cubes[problem, theirs])]
        case[inverted] = 255 - case[inverted]
    return case


@torch.no_grad()
def connect(s: Tensor, cubes: Tensor, case: Tensor, table: DeviceTables) -> Entries:
    """Number dual vertices and edges of the crossing cubes (C, 8) with their cases (C,)."""
    dual_count = table.dual_count[case]
    # cubes with one dual vertex first, then those with two, ...
    order = torch.argsort(dual_count, stable=True)
    ends = torch.cumsum(dual_count[order], dim=0)
    cube_dual = torch.empty_like(case)
    cube_dual[order] = ends - dual_count[order]
    cube_dual = cube_dual[:, None] + torch.arange(4, device=case.device)

    slots = table.dual_edges[case[order]]  # (C, 4, 7)
    place, dual, column = torch.nonzero(slots >= 0, as_tuple=True)
    local_edge = slots[place, dual, column]
    entry_cube = order[place]
    entry_dual = cube_dual[entry_cube, dual]
    edge_ends = torch.gather(cubes[entry_cube], 1, table.edges[local_edge])
    key, entry_edge = torch.unique(3 * edge_ends[:, 0] + table.edge_rank[local_edge], return_inverse=True)
    distinct = torch.empty(len(key), 2, dtype=torch.long, device=case.device)
    distinct[entry_edge] = edge_ends

    around = torch.full((len(key), 4), -1, dtype=torch.long, device=case.device)
    around[entry_edge, table.edge_slot[local_edge]] = entry_dual
    quad_edge = torch.nonzero((around >= 0).all(dim=1))[:, 0]
    around = around[quad_edge]
    falling = (s[distinct[quad_edge, 0]] > 0)[:, None]
    quads = torch.where(falling, around[:, [0, 1, 3, 2]], around[:, [2, 3, 1, 0]])
    surface = Surface(case, cube_dual, entry_dual, entry_edge, distinct, quads, quad_edge)
    return Entries(surface, entry_cube, local_edge, table.edges[local_edge])
