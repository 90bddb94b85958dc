"""Cleaning a surface before it is unwrapped: weld, drop what has no area, drop floaters, close small holes.
numpy only.

Lengths are relative to the diagonal of the bounding box. Vertex attributes follow their vertices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.errors import MeshError
from geco.graph import connected_components
from geco.mesh.components import component_boxes, component_labels, component_volumes
from geco.mesh.half_edges import edge_keys, half_edges, pair_half_edges
from geco.mesh.holes import border_loops, fill_loops
from geco.mesh.topology import compact, corners, cross, dot, first_of_group, merge, weld_groups
from geco.mesh.types import Mesh
from geco.types import Doubles, Floats, Ints, Longs

# Coordinates lie within [-1, 1], where float32 steps by 6e-8: 1e-6 of the size is the smallest length that
# still means something.
SMALLEST = 1e-6
_FLIP_ROUNDS = 8  # each round flips every flat triangle that does not touch another one being flipped


def merge_close(mesh: Mesh, tolerance: float = SMALLEST) -> Mesh:
    """Weld vertices closer than ``tolerance`` x diagonal (0: only equal ones); the first of them keeps its
    attributes.

    Chains of close vertices become one. Meant for surfaces without UVs: it would join the two sides of a
    seam.
    """
    group = close_groups(mesh.vertices, tolerance * diagonal(mesh.vertices))
    if np.array_equal(group, np.arange(len(group))):
        return mesh
    return merge(mesh, group)


def close_groups(vertices: Floats, distance: float) -> Longs:
    """(V,) the smallest index of each group of vertices joined by steps shorter than
    ``distance``, world units (0: equal ones).
    """
    group = weld_groups(vertices)
    if distance > 0:
        a, b = _close_pairs(vertices, np.unique(group), distance)
        if a.size:
            return connected_components(
                len(group), np.concatenate([np.arange(len(group)), a]), np.concatenate([group, b])
            )
    return group


def drop_degenerate(mesh: Mesh, smallest: float = SMALLEST) -> Mesh:
    """Remove what no renderer or unwrapper can use, without opening cracks where that can be helped.

    Gone afterwards: faces with a corner that is not finite or repeats, edges shorter and faces lower than
    ``smallest`` x diagonal (short edges are collapsed, flat triangles flipped into their neighbour), copies
    of a face, unused vertices.
    """
    finite = np.asarray(np.isfinite(mesh.vertices).all(axis=1))
    if not finite.all():
        mesh = compact(mesh, mesh.faces[finite[mesh.faces].all(axis=1)])
    limit = smallest * diagonal(mesh.vertices)
    shortest, lowest = _sizes(mesh.vertices, mesh.faces)
    if not ((shortest > limit) & (lowest > limit)).all():
        mesh = _without_small(mesh, limit)
    faces = _without_copies(mesh.faces, len(mesh.vertices))
    return compact(mesh, None if len(faces) == len(mesh.faces) else faces)


def remove_floaters(mesh: Mesh, min_fraction: float = 0.02, drop_inner: bool = True) -> Mesh:
    """Keep the components whose area is at least ``min_fraction`` of the largest one's.

    Args:
        mesh: with shared vertices (weld it first): a component is what hangs together by vertices.
        min_fraction: in [0, 1]; 1 keeps the largest alone.
        drop_inner: also drop closed shells that are turned inside out within the largest component's box:
            cavities, which no picture shows and which would use up texture.
    """
    if not len(mesh.faces):
        return mesh
    face_label = component_labels(mesh)
    count = int(face_label.max()) + 1
    if count == 1:
        return mesh
    vectors = mesh.face_normals().astype(np.float64)
    area = np.bincount(face_label, np.linalg.norm(vectors, axis=1), count)
    largest = int(np.argmax(area))
    keep = area >= min_fraction * area[largest]
    keep[largest] = True
    if drop_inner:
        flow = np.stack([np.bincount(face_label, vectors[:, axis], count) for axis in range(3)], axis=1)
        closed = np.linalg.norm(flow, axis=1) <= 1e-3 * area  # the normals of a closed surface cancel out
        volume = component_volumes(mesh, face_label, count)
        low, high = component_boxes(mesh, face_label, count)
        within = (low >= low[largest]).all(axis=1) & (high <= high[largest]).all(axis=1)
        keep &= ~(closed & within & (volume * np.sign(volume[largest]) < 0))
    return mesh if keep.all() else compact(mesh, mesh.faces[keep[face_label]])


def fill_holes(mesh: Mesh, max_edges: int = 64) -> Mesh:
    """Close every hole with at most ``max_edges`` edges, facing as its surroundings do.

    Borders that meet in a vertex are taken apart first. A lone triangle is not a hole. Raises MeshError below
    3 edges.
    """
    if max_edges < 3:
        raise MeshError(f"a hole has at least 3 edges, not {max_edges}", "Use max_edges=3 or more.")
    if not len(mesh.faces):
        return mesh
    twin = pair_half_edges(mesh.faces, mesh.vertices)
    loops = border_loops(mesh.faces, twin, len(mesh.vertices))
    small = [loop for loop in loops if len(loop) <= max_edges]
    triangles = (
        {tuple(sorted(face)) for face in mesh.faces.tolist()}
        if any(len(loop) == 3 for loop in small)
        else set()
    )
    return fill_loops(mesh, [loop for loop in small if len(loop) > 3 or tuple(sorted(loop)) not in triangles])


def _without_small(mesh: Mesh, limit: float) -> Mesh:
    """Edges up to ``limit`` collapsed, faces up to that height flipped away or, where they cannot
    be, dropped.
    """
    start, end = half_edges(mesh.faces)
    step = mesh.vertices[start].astype(np.float64) - mesh.vertices[end]
    short = np.flatnonzero(np.einsum("ij,ij->i", step, step) <= limit * limit)
    if short.size:
        mesh = merge(mesh, connected_components(len(mesh.vertices), start[short], end[short]))
    faces = flip_flat(mesh.faces, mesh.vertices, limit)
    return mesh.with_(faces=faces[_sizes(mesh.vertices, faces)[1] > limit])


def diagonal(vertices: Floats) -> float:
    """Length of the bounding box's diagonal, over the finite vertices; 0 without any."""
    if not len(vertices):
        return 0.0
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if not np.isfinite([low, high]).all():
        return diagonal(vertices[np.isfinite(vertices).all(axis=1)])
    return float(np.linalg.norm(high.astype(np.float64) - low))


def flip_flat(faces: Ints, vertices: Floats, limit: float) -> Ints:
    """Faces lower than ``limit`` joined with the face across their longest edge and cut again along the other
    diagonal.

    Nothing is opened: the same edges stay closed. A flat face at a border, or one whose flip would double an
    edge, stays.
    """
    faces = faces.copy()
    for _ in range(_FLIP_ROUNDS):
        flat = np.flatnonzero(_sizes(vertices, faces)[1] <= limit)
        if not flat.size:
            break
        start, end = half_edges(faces)
        keys = edge_keys(start, end, len(vertices))
        present = np.sort(keys)
        lengths = np.linalg.norm(vertices[faces[flat][:, [1, 2, 0]]] - vertices[faces[flat]], axis=2)
        longest = 3 * flat + np.argmax(lengths, axis=1)
        touched: set[int] = set()
        added: set[int] = set()
        for h in longest.tolist():
            partners = np.flatnonzero(keys == keys[h])
            if len(partners) != 2:
                continue
            t = int(partners[0] if partners[1] == h else partners[1])
            p, q, r, s = (
                int(v) for v in (start[h], end[h], faces[h // 3, (h + 2) % 3], faces[t // 3, (t + 2) % 3])
            )
            key = min(r, s) * len(vertices) + max(r, s)
            place = int(np.searchsorted(present, key))
            known = key in added or (place < len(present) and present[place] == key)
            if start[t] != q or r == s or known or {h // 3, t // 3} & touched:
                continue
            faces[h // 3], faces[t // 3] = (p, s, r), (s, q, r)
            touched |= {h // 3, t // 3}
            added.add(key)
        if not touched:
            break
    return faces


def _close_pairs(vertices: Floats, among: Longs, distance: float) -> tuple[Longs, Longs]:
    """All pairs of the vertices ``among`` (indices) closer than ``distance``: neighbours along a
    slanted line, then measured.
    """
    points = vertices[among].astype(np.float64)
    # no symmetry: points of an aligned grid do not project onto one
    slant = points @ np.array([0.6123724, 0.5303301, 0.5863020])
    order = np.argsort(slant)
    order = order[np.isfinite(slant[order])]
    ordered, sorted_slant = points[order], slant[order]
    found: list[tuple[Longs, Longs]] = []
    reach = 1
    while reach < len(order):
        # The direction's length is at most 1, so closer points are also closer along it.
        near = np.flatnonzero(sorted_slant[reach:] - sorted_slant[:-reach] < distance)
        if not near.size:
            break
        step = ordered[near] - ordered[near + reach]
        hit = near[np.einsum("ij,ij->i", step, step) < distance * distance]
        found.append((among[order[hit]], among[order[hit + reach]]))
        reach += 1
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])


def _sizes(vertices: Floats, faces: NDArray[np.integer]) -> tuple[Doubles, Doubles]:
    """(F,) shortest edge and (F,) height over the longest edge; 0 for a point."""
    a, b, c = corners(vertices, faces)
    edges = b - a, c - b, a - c
    squares = np.stack([dot(edge, edge) for edge in edges])
    longest = np.sqrt(squares.max(axis=0))
    normal = cross(edges[0], edges[1])
    return np.sqrt(squares.min(axis=0)), np.sqrt(dot(normal, normal)) / np.where(longest > 0, longest, 1.0)


def _without_copies(faces: Ints, count: int) -> Ints:
    """Faces without those that repeat an earlier one (same corners in the same turn)."""
    wide = faces.astype(np.int64)
    lowest = np.argmin(wide, axis=1)
    rows = np.arange(len(wide))
    a, b, c = (wide[rows, (lowest + k) % 3] for k in range(3))
    first = first_of_group(first_of_group(a * count + b) * count + c)
    return faces[first == rows]
