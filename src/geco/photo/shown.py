"""Parts of a surface that the picture shows, however small: leaves, pebbles, the far end of a cord."""

from __future__ import annotations

import numpy as np

from geco.mesh.clean import without_faces
from geco.mesh.components import component_labels
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera, silhouette
from geco.types import Bools, Floats

LEAST = 4  # own choice, pixels that nothing else fills


def unless_shown(mesh: Mesh, floating: Bools, camera: InputCamera, picture: Floats) -> Bools:
    """The faces marked as floating (F,), less those of components without which the picture's outline would
    lack something.

    Args:
        mesh: with shared vertices.
        camera: of the picture (P, P, 4).
    """
    if not floating.any() or floating.all():
        return floating
    wanted = silhouette(picture[..., 3]) & ~camera.rasterize(without_faces(mesh, floating), len(picture)).mask
    seen = camera.rasterize(without_faces(mesh, ~floating), len(picture))
    lost = seen.face_ids[wanted & seen.mask]
    if len(lost) < LEAST:
        return floating
    label = component_labels(mesh)
    pixels = np.bincount(label[np.flatnonzero(floating)[lost]], minlength=int(label.max()) + 1)
    return np.asarray(floating & (pixels < LEAST).take(label))
