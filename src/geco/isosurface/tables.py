"""The tables of dual marching cubes, worked out from the cube's topology instead of being copied from a list.

Corner c stands at (c & 1, c >> 1 & 1, c >> 2 & 1): x fastest. A case is the 8-bit number of the corners that
are inside (sdf < 0). A dual vertex stands for one closed loop of the surface on the cube's faces; a face
whose inside corners are diagonal is ambiguous, and the loop then cuts every inside corner off by itself
(Nielson's dual marching cubes). The edge order is that of the FlexiCubes paper's public code, which its
weights `beta` depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from geco.types import Bools, Index

CORNERS: Index = np.array([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)], np.intp)
# (12, 2) corners of every edge in the order of FlexiCubes' beta; edges along y run from the high corner to
# the low one.
EDGES: Index = np.array(
    [[0, 1], [1, 5], [4, 5], [0, 4], [2, 3], [3, 7], [6, 7], [2, 6], [2, 0], [3, 1], [7, 5], [6, 4]],
    np.intp,
)
EDGE_AXIS: Index = np.abs(CORNERS[EDGES[:, 1]] - CORNERS[EDGES[:, 0]]).argmax(axis=1)  # (12,)
# Faces x-, x+, y-, y+, z-, z+: their corners (any order) and outward directions.
FACES: Index = np.array([[c for c in range(8) if CORNERS[c, f // 2] == f % 2] for f in range(6)], np.intp)
FACE_DIRECTION: Index = np.array(
    [[(2 * (f % 2) - 1) * (axis == f // 2) for axis in range(3)] for f in range(6)], np.intp
)


def _edge_slots() -> Index:
    """(12,) position of a cube among the four around the edge, in the order of cube numbers (x
    slowest, z fastest).
    """
    slots = []
    for (first, _), axis in zip(EDGES, EDGE_AXIS):
        high, low = (CORNERS[first, a] for a in range(3) if a != axis)
        slots.append(3 - (2 * high + low))
    return np.array(slots, np.intp)


EDGE_SLOT = _edge_slots()
# Rank among the edges that start at one vertex when sorted by the other end: y runs backwards, z is the next
# vertex, x far on.
EDGE_RANK: Index = np.array([2, 0, 1], np.intp)[EDGE_AXIS]


@dataclass(frozen=True)
class Tables:
    """Everything that a case number answers.

    Attributes:
        crossing: (256, 12) bool, the edges whose ends have opposite signs.
        dual_count: (256,) dual vertices of the case, 0 to 4.
        edge_dual: (256, 12) number of the dual vertex that the edge belongs to, -1 where it does not cross.
        dual_edges: (256, 4, 7) edges of every dual vertex in ascending order, padded with -1.
        problem_face: (256,) the face that makes the surface non-manifold where the neighbour behind it has
            such a face too (cases C16 and C19 of dual marching cubes), or -1. Both cubes then take the case
            255 - case.
        face_dual: (256, 6) the dual vertex next to a face, for filling the inside with tetrahedra; -1 where
            none is.
    """

    crossing: Bools
    dual_count: Index
    edge_dual: Index
    dual_edges: Index
    problem_face: Index
    face_dual: Index


@cache
def tables() -> Tables:
    """The tables, made once."""
    inside = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)  # (256, 8)
    crossing = inside[:, EDGES[:, 0]] != inside[:, EDGES[:, 1]]
    loops = _closure(_face_links(inside, crossing))  # (256, 12, 12) edges on one loop
    edge_dual, dual_count = _number_loops(inside, crossing, loops)
    dual_edges = np.full((256, 4, 7), -1, np.intp)
    for dual in range(4):
        members = edge_dual == dual
        case, edge = np.nonzero(members)
        dual_edges[case, dual, (members.cumsum(axis=1) - 1)[case, edge]] = edge
    face_edges = _face_edges()
    on_face = crossing[:, face_edges]  # (256, 6, 4)
    duals = edge_dual[:, face_edges]
    ambiguous = on_face.all(axis=2)
    troubled = ambiguous & (duals == duals[:, :, :1]).all(axis=2)
    problem_face = np.where(troubled.sum(axis=1) == 1, troubled.argmax(axis=1), -1)
    only_one = np.where(dual_count == 1, 0, -1)[:, None]
    face_dual = np.where(on_face.any(axis=2), duals.max(axis=2), only_one)
    return Tables(crossing, dual_count, edge_dual, dual_edges, problem_face, face_dual)


def _face_edges() -> Index:
    """(6, 4) the edges of every face."""
    return np.array(
        [[e for e, ends in enumerate(EDGES.tolist()) if set(ends) <= set(face)] for face in FACES.tolist()],
        np.intp,
    )


def _face_links(inside: Bools, crossing: Bools) -> Bools:
    """(256, 12, 12) pairs of crossed edges that a segment of the surface joins on some face."""
    links = np.zeros((256, 12, 12), bool)
    ends = EDGES.tolist()
    for edges in _face_edges().tolist():
        both = crossing[:, edges].all(axis=1)  # ambiguous
        for i in edges:
            for j in edges:
                shared = set(ends[i]) & set(ends[j])
                joins = inside[:, shared.pop()] | ~both if len(shared) == 1 else ~both | (i == j)
                links[:, i, j] |= crossing[:, i] & crossing[:, j] & joins
    return links


def _closure(links: Bools) -> Bools:
    """Transitive closure of symmetric relations (K, N, N), N at most 16."""
    for _ in range(4):
        links = (links.astype(np.float32) @ links.astype(np.float32)) > 0
    return links


def _number_loops(inside: Bools, crossing: Bools, loops: Bools) -> tuple[Index, Index]:
    """Dual vertices in the public code's order: by the lowest inside corner behind them, then the
    lowest outside one.
    """
    joined = np.zeros((256, 8, 8), bool)
    joined[:, np.arange(8), np.arange(8)] = True
    for a, b in EDGES:
        joined[:, a, b] = joined[:, b, a] = inside[:, a] & inside[:, b]
    lowest_inside = _closure(joined).argmax(axis=2)  # (256, 8) of a corner's piece of the inside
    first, second = EDGES.T
    inner = np.where(inside[:, first], first, second)
    outer = np.where(inside[:, first], second, first)
    key = np.take_along_axis(lowest_inside, inner, axis=1) * 8
    lowest_outside = np.where(loops, outer[:, None, :], 8).min(axis=2)
    key = np.where(crossing, key + lowest_outside, 999)  # one number a loop
    leads = crossing & (loops.argmax(axis=2) == np.arange(12))  # the lowest edge of each loop
    smaller = (leads[:, None, :] & (key[:, None, :] < key[:, :, None])).sum(axis=2)
    edge_dual = np.where(crossing, smaller, -1)
    return edge_dual, edge_dual.max(axis=1) + 1
