"""Parts of a surface that the picture shows, however small: leaves, pebbles, the far end of a cord."""

from __future__ import annotations

import numpy as np

from geco.mesh.clean import without_faces
from geco.mesh.components import component_labels
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera, silhouette
from geco.types import Bools, Floats

LEAST = 2  # own choice, pixels that nothing else fills


def unless_shown(mesh: Mesh, floating: Bools, camera: InputCamera, picture: Floats) -> Bools:
    """The faces marked as floating (F,), less those of components without which the picture's outline would
    lack something.

    Args:
        mesh: with shared vertices.
        camera: of the picture (P, P, 4).
    """
    if not floating.any() or floating.all():
        return floating
    size = len(picture) // 2
    seen = camera.rasterize(mesh, size)
    wanted = (
        silhouette(picture[..., 3])[1 : 2 * size : 2, 1 : 2 * size : 2]
        & seen.mask
        & floating.take(seen.face_ids, mode="clip")
    )
    if np.count_nonzero(wanted) < LEAST:  # most lie within or behind
        return floating
    lost = seen.face_ids[wanted & ~camera.rasterize(without_faces(mesh, floating), size).mask]
    label = component_labels(mesh)
    pixels = np.bincount(label.take(lost), minlength=int(label.max()) + 1)
    return np.asarray(floating & (pixels < LEAST).take(label))
