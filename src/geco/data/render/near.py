"""Triangles cut at the near plane, so that a camera close to or inside an object sees what is in
front of it and no garbage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.data.objects import TexturedObject
from geco.types import Doubles, Floats, Ints


@dataclass
class Soup:
    """What one camera draws.

    Attributes:
        local: (V, 3) vertices in the camera's axes.
        faces: (F, 3).
        uvs, colors: (V, 2), (V, 3).
        source: (F,) face of the object that each face is a part of; None = the same faces.
    """

    local: Floats
    faces: Ints
    uvs: Floats
    colors: Floats
    source: Ints | None = None


def cut(obj: TexturedObject, local: Floats, near: float) -> Soup:
    """The object's triangles in front of the plane at distance ``near``; those that cross it end there.

    Args:
        obj: the object.
        local: (V, 3) its vertices in the camera's axes.
        near: world units along the viewing axis, positive.
    """
    front = -local[:, 2] >= near
    if front.all():
        return Soup(local, obj.faces, obj.uvs, obj.colors)
    inside = front[obj.faces]
    count = inside.sum(axis=1)
    # (V, 8), all linear along an edge
    values = np.concatenate([local, obj.uvs, obj.colors], axis=1).astype(np.float64)
    one, two = np.flatnonzero(count == 1), np.flatnonzero(count == 2)
    tip = _rotated(obj.faces[one], inside[one].argmax(axis=1))
    base = _rotated(obj.faces[two], inside[two].argmin(axis=1))
    added = [_crossing(values, tip[:, 0], tip[:, side], near) for side in (1, 2)]
    added += [_crossing(values, base[:, side], base[:, 0], near) for side in (1, 2)]
    starts = np.cumsum([len(values)] + [len(points) for points in added])
    ids = [start + np.arange(len(points)) for start, points in zip(starts, added)]
    whole = np.flatnonzero(count == 3)
    faces = np.concatenate(
        [
            obj.faces[whole],
            np.stack([tip[:, 0], ids[0], ids[1]], axis=1),
            np.stack([ids[2], base[:, 1], base[:, 2]], axis=1),
            np.stack([ids[2], base[:, 2], ids[3]], axis=1),
        ]
    )
    # no face keeps these, but the projection divides by their distance
    values[~front, :3] = (0.0, 0.0, -near)
    merged = np.concatenate([values, *added]).astype(np.float32)
    local, uvs, colors = (
        np.ascontiguousarray(merged[:, part]) for part in (slice(3), slice(3, 5), slice(5, 8))
    )
    source = np.concatenate([whole, one, two, two]).astype(np.int32)
    return Soup(local, np.ascontiguousarray(faces, np.int32), uvs, colors, source)


def _rotated(faces: Ints, first: Ints) -> Ints:
    """Faces whose corner ``first`` comes first, orientation kept."""
    order = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(faces, order, axis=1)


def _crossing(values: Doubles, front: Ints, behind: Ints, near: float) -> Doubles:
    """Values where the edges from ``front`` to ``behind`` meet the plane."""
    a, b = values[front], values[behind]
    share = (-near - a[:, 2:3]) / (b[:, 2:3] - a[:, 2:3])
    points = a + share * (b - a)
    points[:, 2] = -near
    return points
