"""FlexiCubes in numpy: the evaluation-mode twin of `flexicubes_torch`, for a surface that needs no gradient.

FlexiCubes (Shen et al. 2023, arXiv 2308.05371) puts one vertex inside a cube for every piece of the surface
that passes through it and joins the vertices of the four cubes around each crossed grid edge by two
triangles.
"""

from __future__ import annotations

import numpy as np

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.tables import CORNERS, EDGE_RANK, EDGE_SLOT, EDGES, FACE_DIRECTION, tables
from geco.types import Bools, Bytes, Floats, Index, Ints


def extract(grid: FlexiGrid) -> tuple[Floats, Ints]:
    """The surface of a grid, in the public code's vertex and face order (NVIDIA's copy).

    Args:
        grid: corners (N, 3), sdf (N,) negative inside, cubes (C, 8): any subset that holds every cube with a
            sign change; edges with fewer than four cubes around them stay open.

    Returns:
        Vertices (V, 3) float32 in the grid's units; faces (F, 3) int32, counter-clockwise seen from outside.
        Both empty when nothing crosses.
    """
    cubes, case, rows = _crossing_cubes(grid)
    if len(case) == 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    case = untangled(case, cubes)
    table = tables()

    # One entry for every (cube, crossed edge).
    flat = np.flatnonzero(table.crossing[case])
    cube = flat // 12
    edge = flat - 12 * cube
    first, count = _number_vertices(table.dual_count[case])
    dual = first[cube] + table.edge_dual.astype(np.int8)[case].ravel()[flat]
    corners = cubes.ravel()
    start, end = (corners[8 * cube + EDGES[edge, side]].astype(np.intp) for side in (0, 1))

    # Cubes share edges: number the distinct ones in the order of (start, end).
    shared, some_entry = _numbered(3 * start + EDGE_RANK[edge], 3 * len(grid.sdf))

    scale = np.float32(grid.weight_scale)
    if grid.alpha is None:
        crossings = _cross(grid, start[some_entry], end[some_entry])[shared]
    else:
        alpha = np.tanh(grid.alpha[rows]).ravel() * scale + np.float32(1)
        crossings = _cross(
            grid, start, end, alpha[8 * cube + EDGES[edge, 0]], alpha[8 * cube + EDGES[edge, 1]]
        )
    beta = None if grid.beta is None else np.tanh(grid.beta[rows].ravel()[flat]) * scale + np.float32(1)
    vertices = _average(crossings, dual, count, beta)

    quads = np.full((4, len(some_entry)), -1, np.intp)
    quads[EDGE_SLOT[edge], shared] = dual
    whole = (quads[0] | quads[1] | quads[2] | quads[3]) >= 0
    outward = grid.sdf[start[some_entry]] > 0
    gamma = None
    if grid.gamma is not None:
        of_cube = scale / (1 + np.exp(-grid.gamma[rows])) + (1 - scale) / 2
        gamma = np.empty(count, np.float32)
        gamma[dual] = of_cube[cube]
    return vertices, _split(quads[:, whole], outward[whole], gamma)


def _numbered(keys: Index, bound: int) -> tuple[Index, Index]:
    """(M,) the place of each key among the distinct ones in order, and (D,) an entry that has it; keys are
    below ``bound``.
    """
    seen = np.zeros(bound, bool)
    seen[keys] = True
    distinct = np.flatnonzero(seen)
    number = np.empty(bound, np.intp)
    number[distinct] = np.arange(len(distinct))
    place = number[keys]
    entry = np.empty(len(distinct), np.intp)
    entry[place] = np.arange(len(keys))
    return place, entry


def case_numbers(inside: Bools, cubes: Ints | Index) -> Bytes:
    """(C,) bit c is set where corner c of the cube is inside; ``inside`` (N,), ``cubes`` (C, 8)."""
    corners = inside[cubes].view("<u8")[:, 0]
    # Eight bytes of 0 or 1 to one byte: the product moves byte c to bit 56 + c (packbits is ten times slower
    # on short rows).
    return (corners * np.uint64(0x0102040810204080) >> np.uint64(56)).astype(np.uint8)


def _crossing_cubes(grid: FlexiGrid) -> tuple[Ints, Index, Index | slice]:
    """The cubes with a sign change, their case numbers, and their rows in the grid."""
    case = case_numbers(np.asarray(grid.sdf < 0), grid.cubes)
    crosses = (case != 0) & (case != 255)
    if crosses.all():
        return grid.cubes, case.astype(np.intp), slice(None)
    rows = np.flatnonzero(crosses)
    return grid.cubes[rows], case[rows].astype(np.intp), rows


def untangled(case: Index, cubes: Ints) -> Index:
    """The cases (C,) with both of two problem cases that meet at their ambiguous face inverted
    (`Tables.problem_face`).
    """
    face_of = tables().problem_face[case]
    problem = np.flatnonzero(face_of >= 0)
    if len(problem) < 2:
        return case
    corners, face = cubes[problem], face_of[problem]
    inverted = np.zeros(len(problem), bool)
    for f, direction in enumerate(FACE_DIRECTION):
        # The neighbour across a face in direction +axis has as its corner 0 this cube's corner one step along
        # the axis.
        ask = np.flatnonzero(face == f)
        step = int(np.flatnonzero((np.abs(direction) == CORNERS).all(axis=1))[0])
        mine, theirs = (step, 0) if direction.sum() > 0 else (0, step)
        inverted[ask] = np.isin(corners[ask, mine], corners[:, theirs])
    case = case.copy()
    case[problem[inverted]] = 255 - case[problem[inverted]]
    return case


def _number_vertices(dual_count: Index) -> tuple[Index, int]:
    """The number of every cube's first dual vertex (cubes with one come first, then those with
    two, …) and the total.
    """
    if (dual_count == 1).all():
        return np.arange(len(dual_count)), len(dual_count)
    order = np.argsort(dual_count.astype(np.uint8), kind="stable")
    ends = np.cumsum(dual_count[order])
    first = np.empty(len(dual_count), np.intp)
    first[order] = ends - dual_count[order]
    return first, int(ends[-1])


def _cross(
    grid: FlexiGrid,
    start: Index,
    end: Index,
    alpha_start: Floats | None = None,
    alpha_end: Floats | None = None,
) -> Floats:
    """(M, 3) zero crossings on edges given by their corner numbers, the field optionally
    multiplied by alpha > 0.
    """
    a, b = grid.sdf[start], grid.sdf[end]
    if alpha_start is not None and alpha_end is not None:
        a, b = a * alpha_start, b * alpha_end
    weight = b / (b - a)
    points = grid.vertices.take(start, axis=0)
    points *= weight[:, None]
    far = grid.vertices.take(end, axis=0)
    far *= (1 - weight)[:, None]
    points += far
    return points


def _average(points: Floats, group: Index, count: int, weights: Floats | None) -> Floats:
    """(count, 3) weighted mean of the points of each group."""
    total = np.bincount(group, weights, count)
    means = np.empty((count, 3), np.float32)
    for axis in range(3):
        column = points[:, axis] if weights is None else points[:, axis] * weights
        means[:, axis] = np.bincount(group, column, count) / total
    return means


def _split(quads: Index, outward: Bools, gamma: Floats | None) -> Ints:
    """(2 Q, 3) triangles of quads (4, Q) in slot order; `outward` where the field falls along the edge."""
    q0 = np.where(outward, quads[0], quads[2])
    q1 = np.where(outward, quads[1], quads[3])
    q2 = np.where(outward, quads[3], quads[1])
    q3 = np.where(outward, quads[2], quads[0])
    faces = np.empty((quads.shape[1], 6), np.int32)
    if gamma is None:  # a tie takes the diagonal 1-3, as the public code does
        columns = (q0, q1, q3, q3, q1, q2)
    else:
        other = gamma[q0] * gamma[q2] > gamma[q1] * gamma[q3]
        columns = (
            q0,
            q1,
            np.where(other, q2, q3),
            np.where(other, q0, q3),
            np.where(other, q2, q1),
            np.where(other, q3, q2),
        )
    for i, column in enumerate(columns):
        faces[:, i] = column
    return faces.reshape(-1, 3)
