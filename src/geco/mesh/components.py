"""Connected components of a mesh: their faces, volumes and boxes. numpy only."""

from __future__ import annotations

import numpy as np

from geco.graph import connected_components
from geco.mesh.topology import corners, cross, dot
from geco.mesh.types import Mesh
from geco.types import Doubles, Floats, Longs


def component_labels(mesh: Mesh) -> Longs:
    """(F,) number of the connected component of each face, counted from 0."""
    a, b, c = np.ascontiguousarray(mesh.faces.T, np.int64)
    label = connected_components(len(mesh.vertices), np.concatenate([a, b]), np.concatenate([b, c]))
    of_face = label.take(a)
    used = np.zeros(len(label), bool)
    used[of_face] = True
    return (np.cumsum(used) - 1).take(of_face)


def component_volumes(mesh: Mesh, face_label: Longs, count: int) -> Doubles:
    """(count,) signed volume, measured from each component's own middle so that an open one is
    not at the mercy of the origin.
    """
    low, high = component_boxes(mesh, face_label, count)
    middle = np.ascontiguousarray(((low + high) / 2).T).take(face_label, axis=1)
    a, b, c = (corner - middle for corner in corners(mesh.vertices, mesh.faces))
    return np.bincount(face_label, dot(a, cross(b, c)), count) / 6


def component_boxes(mesh: Mesh, face_label: Longs, count: int) -> tuple[Floats, Floats]:
    """(count, 3) smallest and largest coordinates of components that have no vertex in common."""
    label = np.zeros(len(mesh.vertices), np.int64)
    label[mesh.faces] = face_label[:, None]
    used = np.zeros(len(label), bool)
    used[mesh.faces] = True
    members = np.flatnonzero(used)
    label, points = label.take(members), mesh.vertices.take(members, axis=0).T
    low, high = (np.full((3, count), start, np.float32) for start in (np.inf, -np.inf))
    for axis in range(3):
        np.minimum.at(low[axis], label, points[axis])
        np.maximum.at(high[axis], label, points[axis])
    return low.T, high.T
