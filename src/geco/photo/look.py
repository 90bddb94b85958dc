"""A mesh beside the picture, seen by one camera: how well the two agree, and a nearer camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera, silhouette
from geco.render.fragments import Fragments
from geco.render.shade_numpy import surface_colors
from geco.types import Bools, Doubles, Floats


def measure(camera: InputCamera, mesh: Mesh, rgba: Floats) -> InputCamera:
    """A camera with the agreement of outlines and colours of this mesh and picture."""
    return look(camera, mesh, rgba)[0]


def look(
    camera: InputCamera, mesh: Mesh, rgba: Floats, drawn: Fragments | None = None
) -> tuple[InputCamera, Fragments | None]:
    """A camera with the agreement of outlines and colours, and the mesh as it sees it, pixel by pixel of the
    picture (or as it was ``drawn`` so already).

    Of a picture without anything visible the agreement is 0, and nothing is drawn.
    """
    wanted = silhouette(rgba[..., 3])
    if not len(mesh.faces) or not wanted.any():
        return replace(camera, iou=0.0, color_error=1.0), None
    fragments = drawn or camera.rasterize(mesh, len(rgba))
    both = np.flatnonzero(wanted & fragments.mask)
    iou = overlap(wanted, fragments.mask)
    shown = surface_colors(
        mesh,
        fragments.face_ids.reshape(-1).take(both),
        fragments.barycentrics.reshape(-1, 3).take(both, axis=0),
    )
    error = 0.0
    if shown is not None and len(both):
        error = mean_gap((rgba.reshape(-1, 4).take(both, axis=0)[:, :3] - shown).T)
    return replace(camera, iou=iou, color_error=error), fragments


def overlap(one: Bools, two: Bools) -> float:
    """Intersection over union of two masks."""
    return int(np.count_nonzero(one & two)) / max(int(np.count_nonzero(one | two)), 1)


def mean_gap(gap: Floats | Doubles) -> float:
    """Mean absolute value of differences (3, N), each channel's mean taken off."""
    return float(np.abs(gap - gap.mean(axis=1, keepdims=True)).mean())


def nudged(camera: InputCamera, seen: Bools, wanted: Bools) -> InputCamera:
    """The camera with the scale and offset that bring the outline ``seen`` through it to the area and the
    centre of the ``wanted`` one; both (S, S).
    """
    has, goal = _moments(seen), _moments(wanted)
    if not has[2] or not goal[2]:
        return camera
    ratio = float(np.sqrt(goal[2] / has[2]))
    middle = 0.5 + np.array(camera.offset)
    right, down = middle - 0.5 + goal[:2] - (middle + ratio * (has[:2] - middle))
    return replace(camera, scale=camera.scale * ratio, offset=(float(right), float(down)))


def _moments(mask: Bools) -> Doubles:
    """Centre (x, y) and area of a mask, in parts of the picture."""
    size = len(mask)
    count = mask.sum()
    if not count:
        return np.zeros(3)
    at = (np.arange(size) + 0.5) / size
    return np.array(
        [(mask.sum(axis=0) * at).sum() / count, (mask.sum(axis=1) * at).sum() / count, count / size**2]
    )
