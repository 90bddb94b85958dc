"""Half-edges: over which of them the surface goes on, and what hangs together around a vertex. numpy only.

A half-edge is numbered ``3 * face + corner`` and runs from that corner of the face to the next one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.mesh.topology import runs, sorted_with_order
from geco.types import Doubles, Floats, Longs


def half_edges(faces: NDArray[np.integer]) -> tuple[Longs, Longs]:
    """(F, 3) -> start and end vertex of each of the 3F half-edges."""
    wide = np.asarray(faces, np.int64)
    return wide.ravel(), wide[:, [1, 2, 0]].ravel()


def edge_keys(start: Longs, end: Longs, count: int) -> Longs:
    """One number an undirected edge of a mesh with ``count`` vertices."""
    return np.minimum(start, end) * np.int64(count) + np.maximum(start, end)


def pair_half_edges(faces: NDArray[np.integer], vertices: Floats) -> Longs:
    """The opposite half-edge of each half-edge, over which the surface goes on; -1 at a border.

    An edge with two half-edges of opposite direction is simple. Where more meet, the ones next to each other
    around the edge are paired so that each pair bounds solid matter (two bodies that touch along an edge come
    apart). Half-edges of the same direction are never paired, so every fan of faces is oriented.

    Args:
        faces: (F, 3) without repeated corners.
        vertices: (V, 3), looked at only for edges with more than two faces.

    Returns:
        (3F,) with ``twin[twin[h]] == h``.
    """
    start, end = half_edges(faces)
    order, firsts, counts = edge_groups(start, end, len(vertices))
    return pair_groups(start, end, order, firsts, counts, faces, vertices)


def edge_groups(start: Longs, end: Longs, count: int) -> tuple[Longs, Longs, Longs]:
    """Half-edges sorted by their undirected edge: the order, and where each edge begins in it and
    how many it has.
    """
    keys, order = sorted_with_order(edge_keys(start, end, count))
    return order, *runs(keys)


def pair_groups(
    start: Longs,
    end: Longs,
    order: Longs,
    firsts: Longs,
    counts: Longs,
    faces: NDArray[np.integer],
    vertices: Floats,
) -> Longs:
    """:func:`pair_half_edges` from the result of :func:`edge_groups`."""
    twin = np.full(len(start), -1, np.int64)
    twos = firsts.take(np.flatnonzero(counts == 2))
    a, b = order.take(twos), order.take(twos + 1)
    opposite = np.flatnonzero(start.take(a) != start.take(b))
    a, b = a.take(opposite), b.take(opposite)
    twin[a], twin[b] = b, a
    crowded = np.flatnonzero(counts > 2)
    for first, count in zip(firsts[crowded], counts[crowded]):
        _pair_crowded(np.sort(order[first : first + count]), start, end, np.asarray(faces), vertices, twin)
    return twin


def fan_labels(faces: NDArray[np.integer], twin: Longs, vertex_count: int) -> Longs:
    """Which fan of faces each corner belongs to: faces around a vertex that go on over paired half-edges.

    Returns:
        (3F,) a half-edge of the fan, the same for all its corners; a manifold vertex has one fan.
    """
    here = np.arange(len(twin))
    previous = np.where(here % 3 == 0, here + 2, here - 1)
    onward = twin[previous]  # the next half-edge out of the same vertex
    ends = onward < 0
    step = np.where(ends, here, onward)
    smallest = here
    longest = int(np.bincount(np.asarray(faces).ravel(), minlength=vertex_count).max(initial=1))
    for _ in range(max(longest - 1, 1).bit_length()):
        smallest = np.minimum(smallest, smallest[step])
        step = step[step]
    # An open fan is known by its end, a closed one by its smallest member.
    return np.where(ends[step], step, smallest)


def _pair_crowded(
    members: Longs, start: Longs, end: Longs, faces: NDArray[np.integer], vertices: Floats, twin: Longs
) -> None:
    """Pair the half-edges of one edge with more than two faces by their angle around it."""
    low, high = sorted((start[members[0]], end[members[0]]))
    origin = vertices[low].astype(np.float64)
    axis = _unit(vertices[high] - origin)
    third = vertices[faces[members // 3, (members + 2) % 3]] - origin
    third -= np.outer(third @ axis, axis)
    x = _unit(third[0])
    angle = np.arctan2(third @ np.cross(axis, x), third @ x) % (2 * np.pi)
    # The normal of a face whose half-edge runs along the axis points to larger angles, of the others to
    # smaller ones: solid matter lies between a backward half-edge and the forward one that comes next.
    forward = start[members] == low
    ring = [int(i) for i in np.lexsort((forward, angle))]
    while True:
        for place, i in enumerate(ring):
            j = ring[(place + 1) % len(ring)]
            if forward[j] and not forward[i]:
                twin[members[i]], twin[members[j]] = members[j], members[i]
                ring = [k for k in ring if k not in (i, j)]
                break
        else:
            return


def _unit(vector: Doubles) -> Doubles:
    return vector / max(float(np.linalg.norm(vector)), 1e-30)
