"""Parity with the public FlexiCubes, which no command needs: the inside of a surface as tetrahedra (paper
section 4.5).
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.isosurface import tables as cube
from geco.isosurface.connect_torch import case_numbers
from geco.isosurface.crossings import Surface

# The four cubes around an edge, by slot, and the walk around it: slots 0 1 3 2.
_WALK = ((0, 1), (1, 3), (3, 2), (2, 0))


def tetrahedralize(
    x: Tensor,
    s: Tensor,
    cubes: Tensor,
    vertices: Tensor,
    faces: Tensor,
    surface: Surface,
    face_dual: Tensor,
) -> tuple[Tensor, Tensor]:
    """Fill the inside: every surface triangle joins the inside end of its grid edge, and every grid edge that
    lies inside joins the vertices of consecutive cubes around it.

    Args:
        x: (N, 3) grid vertices; s: (N,) signed field, negative inside; cubes: (C, 8).
        vertices: (V, 3); faces: (F, 3), the surface; the same number of faces for every quad.
        surface: the extraction's numbering; face_dual: (256, 6) of `tables.Tables`.

    Returns:
        Vertices (V', 3): the surface's, the inside grid vertices, the centres of wholly inside cubes;
        tetrahedra (T, 4).
        Around untangled cubes some tetrahedra are missing, as in the public code: `face_dual` knows none
        there.
    """
    inside, case = s < 0, case_numbers(s, cubes)
    full = torch.nonzero(case == 255)[:, 0]
    centres = x[cubes[full]].mean(dim=1)
    number = torch.full((len(x),), -1, dtype=torch.long, device=x.device)
    number[inside] = torch.arange(int(inside.sum()), device=x.device) + len(vertices)
    all_vertices = torch.cat([vertices, x[inside], centres])

    ends = surface.edge_ends[surface.quad_edge]
    inner = torch.where(inside[ends[:, 0]], ends[:, 0], ends[:, 1])
    per_quad = len(faces) // max(len(ends), 1)
    shell = torch.cat([faces, number[inner].repeat_interleave(per_quad)[:, None]], dim=1)

    beside = _vertex_beside_faces(case, full, len(all_vertices) - len(full), surface, face_dual)
    return all_vertices, torch.cat([shell, _around_inner_edges(inside, cubes, beside, number)])


def _vertex_beside_faces(
    case: Tensor, full: Tensor, first_centre: int, surface: Surface, face_dual: Tensor
) -> Tensor:
    """(C, 6) the mesh vertex of a cube that looks at each of its faces, -1 for none."""
    beside = torch.full((len(case), 6), -1, dtype=torch.long, device=case.device)
    dual = face_dual[surface.case]
    beside[(case > 0) & (case < 255)] = torch.where(
        dual >= 0, torch.gather(surface.cube_dual, 1, dual.clamp(min=0)), -1
    )
    beside[full] = (torch.arange(len(full), device=case.device) + first_centre)[:, None]
    return beside


def _around_inner_edges(inside: Tensor, cubes: Tensor, beside: Tensor, number: Tensor) -> Tensor:
    """(T, 4) tetrahedra on the grid edges with both ends inside and four cubes around them."""
    edges = torch.from_numpy(cube.EDGES).to(cubes.device)
    rank = torch.from_numpy(cube.EDGE_RANK).to(cubes.device)
    slot = torch.from_numpy(cube.EDGE_SLOT).to(cubes.device)
    axis = torch.from_numpy(cube.EDGE_AXIS).to(cubes.device)
    ends = cubes[:, edges]  # (C, 12, 2)
    owner, local = torch.nonzero(inside[ends].all(dim=2), as_tuple=True)
    ends = ends[owner, local]
    key, place = torch.unique(3 * ends[:, 0] + rank[local], return_inverse=True)
    around = torch.full((len(key), 4), -1, dtype=torch.long, device=cubes.device)
    around[place, slot[local]] = owner
    edge_ends = torch.empty(len(key), 2, dtype=torch.long, device=cubes.device)
    edge_ends[place] = ends
    edge_axis = torch.empty(len(key), dtype=torch.long, device=cubes.device)
    edge_axis[place] = axis[local]
    whole = (around >= 0).all(dim=1)
    around, edge_ends, edge_axis = around[whole], number[edge_ends[whole]], edge_axis[whole]

    pairs = []
    for (here, there), (leaving, entering) in zip(_WALK, _walk_faces(edge_axis)):
        pairs.append(
            torch.stack([beside[around[:, here], leaving], beside[around[:, there], entering]], dim=1)
        )
    quads = torch.stack(pairs, dim=1)  # (E, 4, 2)
    tetrahedra = torch.cat([quads, edge_ends[:, None, :].expand(-1, 4, -1)], dim=2).reshape(-1, 4)
    return tetrahedra[(tetrahedra >= 0).all(dim=1)]


def _walk_faces(axis: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each step of the walk around edges of the given axes: the face left by and the face entered by."""
    slow = torch.where(axis == 0, 1, 0)  # the two other axes, in x y z order
    fast = torch.where(axis == 2, 1, 2)
    steps = ((fast, 1), (slow, 1), (fast, 0), (slow, 0))
    return [(2 * along + up, 2 * along + 1 - up) for along, up in steps]
