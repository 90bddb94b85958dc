"""The crossed edges of a grid: what FlexiCubes' surface and its tetrahedra are both built from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Surface:
    """What the steps of an extraction hand to each other; one entry is one crossed edge of one cube.

    Attributes:
        case: (C,) case number of every crossing cube.
        cube_dual: (C, 4) number of the cube's dual vertices, wrong where the case has fewer.
        entry_dual: (M,) dual vertex of an entry; entries are sorted by it.
        entry_edge: (M,) its place among the distinct crossed edges.
        edge_ends: (E, 2) grid vertices of the distinct edges.
        quads: (Q, 4) dual vertices around every closed edge, turned outwards.
        quad_edge: (Q,) the edge of each quad.
    """

    case: Tensor
    cube_dual: Tensor
    entry_dual: Tensor
    entry_edge: Tensor
    edge_ends: Tensor
    quads: Tensor
    quad_edge: Tensor
