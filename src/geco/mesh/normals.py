"""Vertex normals that do not show seams: weighted by the corner's angle, computed on welded
positions. numpy only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.mesh.topology import corners, cross, dot, weld_groups
from geco.types import Doubles, Floats


def vertex_normals(vertices: Floats, faces: NDArray[np.integer]) -> Floats:
    """Unit normals, always: a vertex with no usable face around it gets (0, 0, 1).

    Each face weighs in with the angle of its corner (Thurmer and Wuthrich 1998), so the result does not
    depend on how a flat part is triangulated. Vertices at exactly the same position (the two sides of a UV
    seam) share one normal.

    Args:
        vertices: (V, 3) world units.
        faces: (F, 3) counter-clockwise seen from outside.

    Returns:
        (V, 3) float32 of length 1.
    """
    group = weld_groups(vertices)
    with np.errstate(invalid="ignore"):  # corners that are not finite make faces that are left out below
        a, b, c = corners(np.asarray(vertices), faces)
        ab, bc, ca = _unit(b - a), _unit(c - b), _unit(a - c)
        normals = _unit(cross(ab, bc))
        usable = np.isfinite(normals).all(axis=0) & normals.any(axis=0)
    at_a, at_b = _angle(ca, ab), _angle(ab, bc)
    angles = np.concatenate([at_a, at_b, np.pi - at_a - at_b])
    if not usable.all():
        angles[~np.tile(usable, 3)] = 0.0
        normals[:, ~usable] = 0.0
    # all first corners, then all second, then all third ones
    flat = group.take(np.ascontiguousarray(faces.T)).ravel()
    total: Doubles = np.stack(
        [np.bincount(flat, angles * np.tile(axis, 3), len(vertices)) for axis in normals]
    )
    length = np.sqrt(dot(total, total))
    # Opposite faces cancel to rounding noise (a sheet with two sides): one of them, whichever is last, beats
    # noise.
    cancelled = length < 1e-6
    if cancelled.any():
        last = np.zeros_like(total)
        here = np.flatnonzero(cancelled.take(flat) & np.tile(usable, 3))
        last[:, flat.take(here)] = normals.take(here % len(faces), axis=1)
        total[:, cancelled] = last[:, cancelled]
        lost = cancelled & ~last.any(axis=0)
        total[2, lost] = 1.0
    return np.ascontiguousarray(_unit(total).T.astype(np.float32)).take(group, axis=0)


def _angle(arriving: Doubles, leaving: Doubles) -> Doubles:
    """(N,) angle in radians between two sides of a triangle, as unit vectors along its border."""
    return np.arccos(np.clip(-dot(arriving, leaving), -1.0, 1.0))


def _unit(vectors: Doubles) -> Doubles:
    """Unit vectors; zero stays zero."""
    length = np.sqrt(dot(vectors, vectors))
    return vectors / np.where(length > 0, length, 1.0)
