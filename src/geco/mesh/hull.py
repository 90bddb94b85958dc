"""A convex hull of few corners, as physics engines want their collision shapes. numpy only."""

from __future__ import annotations

import numpy as np

from geco.errors import MeshError
from geco.mesh.types import Mesh
from geco.types import Doubles, Floats, Longs

# Own choice: the outermost vertices in so many directions. PhysX takes 255 corners and faces of a convex
# shape, and a hull of 96 corners has at most 188 faces.
DIRECTIONS = 96
_FLAT = 1e-6  # of the size: a point so near a face's plane is on it


def convex_hull(mesh: Mesh) -> Mesh:
    """The convex hull of the mesh's outermost vertices in :data:`DIRECTIONS` directions: bare, closed, its
    faces outwards. It lies within the whole hull, a few per cent of the volume smaller.

    Raises:
        MeshError: all vertices lie in a plane.
    """
    points = outermost(mesh.vertices, DIRECTIONS).astype(np.float64)
    faces = _hull(points)
    used, corner = np.unique(faces, return_inverse=True)
    return Mesh(points[used].astype(np.float32), corner.reshape(-1, 3).astype(np.int32))


def outermost(points: Floats, directions: int) -> Floats:
    """(M, 3) of the points (N, 3), those that reach furthest in some directions, spread evenly over the
    sphere (a Fibonacci lattice).
    """
    number = np.arange(directions) + 0.5
    height = 1 - 2 * number / directions
    turn = np.pi * (1 + 5**0.5) * number
    level = np.sqrt(1 - height**2)
    ways = np.stack([level * np.cos(turn), level * np.sin(turn), height])
    return points[np.unique((points.astype(np.float64) @ ways).argmax(axis=0))]


def _hull(points: Doubles) -> Longs:
    """(F, 3) faces of the convex hull of points (N, 3), one point after the other: the faces that it sees are
    replaced by a cone from their border.
    """
    flat = _FLAT * float(np.ptp(points, axis=0).max())
    faces = _tetrahedron(points, flat)
    for number in range(len(points)):
        seen = _above(points, faces, points[number]) > flat
        if not seen.any():
            continue
        edges = np.concatenate([faces[seen][:, [0, 1]], faces[seen][:, [1, 2]], faces[seen][:, [2, 0]]])
        keys, back = edges @ [len(points), 1], edges @ [1, len(points)]
        border = edges[~np.isin(back, keys)]
        cone = np.concatenate([border, np.full((len(border), 1), number)], axis=1)
        faces = np.concatenate([faces[~seen], cone])
    return faces


def _tetrahedron(points: Doubles, flat: float) -> Longs:
    """Four faces, outwards, of four points that lie far apart."""
    first = int(points[:, 0].argmin())
    away = points - points[first]
    second = int((away**2).sum(axis=1).argmax())
    axis = away[second] / max(float(np.linalg.norm(away[second])), 1e-30)
    third = int(((away - (away @ axis)[:, None] * axis) ** 2).sum(axis=1).argmax())
    base = np.array([[first, second, third]])
    height = _above(points, base, points.T)[0]
    fourth = int(np.abs(height).argmax())
    if not abs(height[fourth]) > flat:
        raise MeshError("the object is flat, so there is no convex hull", "Leave the collision out.")
    a, b, c = (first, third, second) if height[fourth] > 0 else (first, second, third)
    return np.array([[a, b, c], [b, a, fourth], [c, b, fourth], [a, c, fourth]])


def _above(points: Doubles, faces: Longs, places: Doubles) -> Doubles:
    """(F,) or (F, N) distance of a place (3,) or of places (3, N) above the planes of faces."""
    a, b, c = points[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    height = normal @ places
    base = (normal * a).sum(axis=1)
    return np.asarray(height - (base if height.ndim == 1 else base[:, None]))
