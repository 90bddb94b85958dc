"""Connected components of a mesh: their faces, volumes and boxes. numpy only."""

from __future__ import annotations

import numpy as np

from geco.graph import connected_components
from geco.mesh.topology import corners, cross, dot, runs
from geco.mesh.types import Mesh
from geco.types import Doubles, Floats, Longs


def component_labels(mesh: Mesh) -> Longs:
    """(F,) number of the connected component of each face, counted from 0."""
    a, b, c = mesh.faces.T
    label = connected_components(len(mesh.vertices), np.concatenate([a, b]), np.concatenate([b, c]))
    return np.unique(label[a], return_inverse=True)[1].astype(np.int64)


def component_volumes(mesh: Mesh, face_label: Longs, count: int) -> Doubles:
    """(count,) signed volume, measured from each component's own middle so that an open one is
    not at the mercy of the origin.
    """
    low, high = component_boxes(mesh, face_label, count)
    middle = ((low + high) / 2).T[:, face_label] if count > 1 else ((low + high) / 2).T
    a, b, c = (corner - middle for corner in corners(mesh.vertices, mesh.faces))
    return np.bincount(face_label, dot(a, cross(b, c)), count) / 6


def component_boxes(mesh: Mesh, face_label: Longs, count: int) -> tuple[Floats, Floats]:
    """(count, 3) smallest and largest coordinates."""
    order = np.argsort(face_label)
    firsts, _ = runs(face_label[order])
    points = mesh.vertices[mesh.faces[order]].reshape(-1, 3)
    return np.minimum.reduceat(points, 3 * firsts), np.maximum.reduceat(points, 3 * firsts)
