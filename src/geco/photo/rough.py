"""A model's own surface beside the picture, before anything is made to agree: on a grid, with the camera
that sees it most as the picture does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geco.photo.input_camera import InputCamera, shows_object
from geco.photo.outline_camera import find_camera, prior_camera
from geco.reconstruct.fields import DenseFields, SurfaceFields, lens_of, no_object
from geco.types import Floats, Index

# Own choice: below it the camera that fits best means nothing, and the one of the model's training is taken.
KNOWN_CAMERA_IOU = 0.35
POINTS = 10_000  # of the solid draw its outline as well as all of them


@dataclass(frozen=True)
class Rough:
    """A surface as the model made it.

    Attributes:
        volume: (R + 1, R + 1, R + 1) signed distance, negative inside, on [-half_extent, half_extent]^3,
            indexed [x, y, z].
        half_extent: world units.
        camera: that took the picture, as far as outlines tell.
        agreement: IoU of the surface's outline with the picture's, seen by the camera that fits best.
    """

    volume: Floats
    half_extent: float
    camera: InputCamera
    agreement: float


def rough_of(fields: DenseFields, size: int, picture: Floats) -> Rough:
    """The fields on a grid of ``size`` cubes a side, beside a picture (P, P, 4).

    Raises:
        MeshError: the fields hold no surface.
    """
    return _beside(fields.dense(size), fields.half_extent, picture)


def rough_or_prior(fields: DenseFields, size: int, picture: Floats) -> Rough:
    """:func:`rough_of` fields that may hold no surface: then with the camera of the model's training.

    Raises:
        MeshError: they hold none, and the picture shows none either.
    """
    volume = fields.dense(size)
    if (volume < 0).any() or not shows_object(picture[..., 3]):
        return _beside(volume, fields.half_extent, picture)
    return Rough(volume, fields.half_extent, prior_camera(picture[..., 3]), 0.0)


def _beside(volume: Floats, half_extent: float, picture: Floats) -> Rough:
    solid = _spaced(np.flatnonzero(volume < 0))
    if not len(solid):
        raise no_object()
    inside = np.stack(np.unravel_index(solid, volume.shape), axis=1)
    points = (inside * (2 * half_extent / (len(volume) - 1)) - half_extent).astype(np.float32)
    found = find_camera(points, picture[..., 3])
    camera = found if found.iou >= KNOWN_CAMERA_IOU else prior_camera(picture[..., 3])
    return Rough(volume, half_extent, camera, found.iou)


def agreement_of(fields: SurfaceFields, size: int, picture: Floats) -> float:
    """:attr:`Rough.agreement` of any fields: the cubes at the surface hide the same of the picture as the
    solid does.

    Raises:
        MeshError: the fields hold no surface.
    """
    grid = fields.grid(size)
    points = grid.vertices.take(_spaced(np.flatnonzero(grid.sdf < 0)), axis=0)
    if not len(points):
        raise no_object()
    return find_camera(points, picture[..., 3], lens_of(fields).fov).iou


def _spaced(numbers: Index) -> Index:
    """About :data:`POINTS` of them, evenly."""
    return numbers[:: max(len(numbers) // POINTS, 1)]


def agreement_facts(agreement: float | None) -> dict[str, Any]:
    """What the facts say of it: the number, or null and why there is none."""
    if agreement is None:
        reason = "no camera was searched: neither the outline nor the picture was to be laid on"
        return {"agreement": None, "agreement_unknown": reason}
    return {"agreement": round(agreement, 4)}
