"""Fewer faces by quadric edge collapse (fast-simplification, a base dependency)."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from geco.errors import MeshError
from geco.mesh.clean import diagonal, drop_degenerate
from geco.mesh.types import Mesh
from geco.types import Floats, Longs

FEWEST = 4  # a tetrahedron: no closed surface has fewer faces
# The library's own default first; 10 is its most aggressive advice, for surfaces on which the default stops
# early.
_AGGRESSIVENESS = (7.0, 10.0)
# The library works on global state, so a server's threads take turns.
_ONE_AT_A_TIME = threading.Lock()


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """At most about ``faces`` faces (never fewer than 4), without degenerate ones; unchanged if it has no
    more already.

    Each new vertex takes the mean colour of the vertices that were collapsed into it. Normals, UVs and
    texture are dropped: decimate before unwrapping.

    Raises:
        MeshError: ``faces`` below 1, or vertices that are not finite.
    """
    if faces < 1:
        raise MeshError(f"cannot reduce a mesh to {faces} faces", "Ask for 4 or more.")
    target = max(int(faces), FEWEST)
    if len(mesh.faces) <= target:
        return mesh
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(
            "the mesh has vertices that are not finite", "Clean it first: geco.mesh.clean.drop_degenerate."
        )
    best: Mesh | None = None
    for aggressiveness in _AGGRESSIVENESS:
        found = _collapse(mesh, target, aggressiveness)
        if len(found.faces) >= FEWEST and (best is None or len(found.faces) < len(best.faces)):
            best = found
        if best is not None and len(best.faces) <= 1.02 * target:
            break
    # A surface that the collapse destroys (a few crumpled faces) stays as it was.
    return best if best is not None else drop_degenerate(mesh.with_(normals=None, uvs=None, texture=None))


def _collapse(mesh: Mesh, target: int, aggressiveness: float) -> Mesh:
    import fast_simplification  # compiled, so only loaded by those who decimate

    # The library's error thresholds are absolute, meant for objects about the size of 1.
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle, size = (low.astype(np.float64) + high) / 2, max(diagonal(mesh.vertices) / 2, 1e-30)
    wants_colors = mesh.colors is not None
    with _ONE_AT_A_TIME:
        points, faces, *history = fast_simplification.simplify(
            (mesh.vertices - middle) / size,
            mesh.faces,
            target_count=target,
            agg=aggressiveness,
            return_collapses=wants_colors,
        )
    points = np.asarray(points, np.float64) * size + middle
    good = np.isfinite(points).all(axis=1)
    # Nearly flat surroundings have no stable optimum and may throw a vertex far out: none leaves the box.
    points = np.where(good[:, None], np.clip(points, low, high), middle).astype(np.float32)
    faces = np.asarray(faces, np.int32).reshape(-1, 3)
    colors = (
        _collapsed_colors(mesh, points, np.asarray(history[0]).reshape(-1, 2))
        if wants_colors and len(points)
        else None
    )
    return drop_degenerate(Mesh(points, faces[good[faces].all(axis=1)], colors=colors))


def _collapsed_colors(mesh: Mesh, points: Floats, collapses: NDArray[np.integer]) -> Floats:
    """(N, 3) mean colour of what each new vertex stands for."""
    assert mesh.colors is not None
    root = np.arange(len(mesh.vertices))
    root[collapses[:, 1]] = collapses[:, 0]
    while not np.array_equal(root, root[root]):
        root = root[root]
    ends = root[mesh.faces]
    a, b, c = ends.T
    kept = np.unique(ends[(a != b) & (b != c) & (c != a)])
    # the library also drops folded faces, and with them vertices that the history does not name
    if len(kept) != len(points):
        return mesh.colors[_nearest(mesh.vertices, points)]
    number = np.bincount(root, minlength=len(root))[kept, None]
    total = np.stack([np.bincount(root, mesh.colors[:, axis], len(root))[kept] for axis in range(3)], axis=1)
    return (total / number).astype(np.float32)


def _nearest(vertices: Floats, points: Floats) -> Longs:
    """(N,) index of the nearest vertex of each point, by brute force in blocks."""
    squares = np.einsum("ij,ij->i", vertices, vertices)
    blocks = [
        np.argmin(squares - 2 * (points[i : i + 512] @ vertices.T), axis=1)
        for i in range(0, len(points), 512)
    ]
    return np.concatenate(blocks)
