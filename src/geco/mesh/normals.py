"""Vertex normals that do not show seams: weighted by the corner's angle, computed on welded positions. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.mesh.topology import weld_groups
from geco.mesh.types import Floats


def vertex_normals(vertices: Floats, faces: NDArray[np.integer]) -> Floats:
    """Unit normals, always: a vertex with no usable face around it gets (0, 0, 1).

    Each face weighs in with the angle of its corner (Thurmer and Wuthrich 1998), so the result does not depend on how a flat
    part is triangulated. Vertices at exactly the same position (the two sides of a UV seam) share one normal.

    Args:
        vertices: (V, 3) world units.
        faces: (F, 3) counter-clockwise seen from outside.

    Returns:
        (V, 3) float32 of length 1.
    """
    group = weld_groups(vertices)
    corners = group[faces]  # (F, 3)
    points = np.ascontiguousarray(vertices, np.float32).astype(np.float64)[faces]  # (F, 3 corners, 3)
    with np.errstate(invalid="ignore"):  # corners that are not finite make faces that are left out below
        edges = points[:, [1, 2, 0]] - points
        normals = _unit(np.cross(edges[:, 0], edges[:, 1]))
        directions = _unit(edges)
    cosine = -np.einsum("fci,fci->fc", directions, directions[:, [2, 0, 1]])
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))  # (F, 3) radians
    usable = np.isfinite(normals).all(axis=1) & (np.abs(normals).sum(axis=1) > 0)
    flat = corners[usable].ravel()
    weighted = (normals[usable, None, :] * angle[usable, :, None]).reshape(-1, 3)
    total = np.stack([np.bincount(flat, weighted[:, axis], len(vertices)) for axis in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    # Opposite faces cancel to rounding noise (a sheet with two sides): one of them, whichever is last, beats noise.
    cancelled = np.flatnonzero(length[:, 0] < 1e-6)
    if cancelled.size and flat.size:
        last = np.zeros_like(total)
        last[flat] = np.repeat(normals[usable], 3, axis=0)
        total[cancelled] = last[cancelled]
        length[cancelled] = np.linalg.norm(total[cancelled], axis=1, keepdims=True)
    unit = np.where(length > 0, total / np.where(length > 0, length, 1.0), [0.0, 0.0, 1.0])
    return unit[group].astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors; zero stays zero."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return vectors / np.where(length > 0, length, 1.0)
