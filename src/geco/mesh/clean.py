"""Cleaning a surface before it is unwrapped: weld, drop what has no area, drop floaters, close small holes.
numpy only.

Lengths are relative to the diagonal of the bounding box. Vertex attributes follow their vertices.
"""

from __future__ import annotations

import numpy as np

from geco.errors import MeshError
from geco.graph import connected_components
from geco.mesh.components import component_boxes, component_labels, component_volumes
from geco.mesh.flips import flipped, sizes
from geco.mesh.half_edges import pair_half_edges
from geco.mesh.holes import border_loops, fill_loops
from geco.mesh.topology import compact, cross, dot, first_of_group, merge, weld_groups
from geco.mesh.types import Mesh
from geco.types import Bools, Doubles, Floats, Ints, Longs

# Coordinates lie within [-1, 1], where float32 steps by 6e-8: 1e-6 of the size is the smallest length that
# still means something.
SMALLEST = 1e-6


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
        first = np.flatnonzero(group == np.arange(len(group)))
        a, b = _close_pairs(vertices, first, distance)
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
    squares, heights = sizes(mesh.vertices, mesh.faces)
    if (
        not (np.minimum(np.minimum(*squares[:2]), squares[2]) > limit * limit).all()
        or not (heights > limit).all()
    ):
        mesh = _without_small(mesh, limit, squares)
    faces = _without_copies(mesh.faces, len(mesh.vertices))
    return compact(mesh, None if len(faces) == len(mesh.faces) else faces)


def remove_floaters(mesh: Mesh, min_fraction: float = 0.02, drop_inner: bool = True) -> Mesh:
    """Keep the components whose area is at least ``min_fraction`` of the largest one's
    (:func:`floating_faces`).
    """
    return without_faces(mesh, floating_faces(mesh, min_fraction, drop_inner))


def without_faces(mesh: Mesh, dropped: Bools) -> Mesh:
    """``mesh`` without the faces marked (F,); itself where there is none."""
    return compact(mesh, mesh.faces.compress(~dropped, axis=0)) if dropped.any() else mesh


def floating_faces(mesh: Mesh, min_fraction: float = 0.02, drop_inner: bool = True) -> Bools:
    """(F,) the faces of components whose area is less than ``min_fraction`` of the largest one's.

    Args:
        mesh: with shared vertices (weld it first): a component is what hangs together by vertices.
        min_fraction: in [0, 1]; 1 keeps the largest alone.
        drop_inner: also those of closed shells that are turned inside out within the largest component's box:
            cavities, which no picture shows and which would use up texture.
    """
    face_label = component_labels(mesh) if len(mesh.faces) else np.zeros(0, np.int64)
    count = int(face_label.max(initial=0)) + 1
    if count == 1:
        return np.zeros(len(mesh.faces), bool)
    vectors = _face_normals(mesh).astype(np.float64)
    area = np.bincount(face_label, np.sqrt(dot(vectors, vectors)), count)
    largest = int(np.argmax(area))
    keep = area >= min_fraction * area[largest]
    keep[largest] = True
    if drop_inner:
        flow: Doubles = np.stack([np.bincount(face_label, along, count) for along in vectors])
        closed = np.sqrt(dot(flow, flow)) <= 1e-3 * area  # the normals of a closed surface cancel out
        volume = component_volumes(mesh, face_label, count)
        low, high = component_boxes(mesh, face_label, count)
        within = (low >= low[largest]).all(axis=1) & (high <= high[largest]).all(axis=1)
        keep &= ~(closed & within & (volume * np.sign(volume[largest]) < 0))
    return np.asarray(~keep.take(face_label))


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


def _face_normals(mesh: Mesh) -> Floats:
    """(3, F) as :meth:`Mesh.face_normals`."""
    columns = np.ascontiguousarray(mesh.vertices.T)
    a, b, c = (columns.take(corner, axis=1) for corner in np.ascontiguousarray(mesh.faces.T, np.intp))
    return cross(b - a, c - a)


def _without_small(mesh: Mesh, limit: float, squares: Doubles) -> Mesh:
    """Edges up to ``limit`` collapsed, faces up to that height flipped away or, where they cannot
    be, dropped; (3, F) squared lengths of the edges.
    """
    corner, face = np.nonzero(squares <= limit * limit)
    if len(face):
        start, end = mesh.faces[face, corner], mesh.faces[face, (corner + 1) % 3]
        mesh = merge(mesh, connected_components(len(mesh.vertices), start, end))
    faces, heights = flipped(mesh.faces, mesh.vertices, limit)
    return mesh.with_(faces=faces.compress(heights > limit, axis=0))


def diagonal(vertices: Floats) -> float:
    """Length of the bounding box's diagonal, over the finite vertices; 0 without any."""
    if not len(vertices):
        return 0.0
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if not np.isfinite([low, high]).all():
        return diagonal(vertices[np.isfinite(vertices).all(axis=1)])
    return float(np.linalg.norm(high.astype(np.float64) - low))


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


def _without_copies(faces: Ints, count: int) -> Ints:
    """Faces without those that repeat an earlier one (same corners in the same turn)."""
    a, b, c = np.ascontiguousarray(faces.T, np.int64)
    lowest = np.minimum(np.minimum(a, b), c)
    turn = (a > lowest) * (1 + (b > lowest))  # which corner is the lowest one
    rows = np.arange(len(faces))
    flat = np.concatenate([a, b, c, a, b])
    second, third = (flat.take((turn + k) * len(faces) + rows) for k in (1, 2))
    if count < 2_000_000:  # three numbers fit into one
        keys = np.sort(lowest * count * count + second * count + third)
        if not (keys[1:] == keys[:-1]).any():
            return faces
    first = first_of_group(first_of_group(lowest * count + second) * count + third)
    return faces.compress(first == rows, axis=0)
