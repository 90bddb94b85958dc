"""Lenses: (focal length, cx, cy) normalised by the image size; a crop of a pinhole picture is a
pinhole picture.
"""

from __future__ import annotations

import numpy as np

from geco.cameras import invert
from geco.data.objects import TexturedObject
from geco.types import Floats


def lens(fov: float, count: int) -> Floats:
    """(count, 3): the centred lens of ``fov`` degrees."""
    return np.tile(np.array([0.5 / np.tan(np.radians(fov) / 2), 0.5, 0.5], np.float32), (count, 1))


def frame_to_fill(obj: TexturedObject, c2w: Floats, ratio: float) -> Floats:
    """Lens of each camera that centres the object's picture and lets its longer side fill ``ratio`` of the
    frame.

    Only focal length and principal point change. Every vertex must lie in front of every camera.

    Returns:
        (N, 3): focal length, cx, cy, normalised by the image size.
    """
    local = to_camera(obj.vertices[np.unique(obj.faces)], c2w)
    x, y = local[..., 0] / -local[..., 2], -local[..., 1] / -local[..., 2]
    low = np.stack([x.min(axis=1), y.min(axis=1)], axis=1)
    high = np.stack([x.max(axis=1), y.max(axis=1)], axis=1)
    focal = ratio / np.maximum((high - low).max(axis=1), 1e-6)
    center = 0.5 - focal[:, None] * (low + high) / 2
    return np.concatenate([focal[:, None], center], axis=1).astype(np.float32)


def to_camera(points: Floats, c2w: Floats) -> Floats:
    """World points (V, 3) in the axes of N cameras: (N, V, 3), x right, y up, looking along -z."""
    w2c = invert(c2w)
    local: Floats = np.matmul(points[None], w2c[:, :3, :3].transpose(0, 2, 1)) + w2c[:, None, :3, 3]
    return local
