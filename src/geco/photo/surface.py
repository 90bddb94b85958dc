"""From fields to a bare surface: the model's own, its far half a mirror image where that is asked for, made
to keep to the picture's outline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh.types import Mesh
from geco.photo.bridges import bridges
from geco.photo.input_camera import InputCamera
from geco.photo.look import overlap
from geco.photo.maps import blurred, signed_distance
from geco.photo.mirrored import Symmetry, Verdict, judge
from geco.photo.outline import Fitted, keep_to_outline
from geco.photo.rough import Rough, rough_of, rough_or_prior
from geco.photo.symmetry import near_colors, symmetrised
from geco.photo.thin import needed_resolution
from geco.reconstruct.fields import DenseFields, SurfaceFields, no_object
from geco.types import Floats

KEPT = 0.975  # own choice, IoU: an outline that is kept so well stays as it is
MOST_MOVED, REACH = 1.5, 4  # own choice, pixels: of an outline, within so many of it

Color = Callable[[Floats], Floats]


class Surface(NamedTuple):
    """A surface of fields, and what the picture said of it.

    Attributes:
        mesh: bare triangles.
        color: (N, 3) world points -> (N, 3) in [0, 1].
        camera: that the surface was made to keep to the outline by; None where it was not.
        agreement: IoU of the outlines before that; None where no camera was searched yet.
        mirror: what became of the symmetry that was asked for.
        cubes: a side of the grid that it was taken from.
        kept: IoU of its outline with the one that it was made to keep to: the picture's with all parts wide
            enough for the grid.
    """

    mesh: Mesh
    color: Color
    camera: InputCamera | None = None
    agreement: float | None = None
    mirror: Verdict = Verdict(None, {})
    cubes: int = 0
    kept: float = 0.0


def surface(
    fields: SurfaceFields,
    size: int,
    picture: Floats | None,
    outline: bool = True,
    symmetry: Symmetry = "off",
    rough: Rough | None = None,
    finest: int | None = None,
) -> Surface:
    """The surface and its colours on a grid of ``size`` cubes a side. Where there is a picture and the fields
    are dense, it keeps to the outline and is its own mirror image as asked for.

    Args:
        rough: of these fields, picture and size, where it is known.
        finest: cubes a side that the grid may have where the outline needs a finer one; None: any.

    Raises:
        MeshError: the fields hold no surface.
    """
    wanted = picture is not None and isinstance(fields, DenseFields) and (outline or symmetry != "off")
    if not wanted:
        return _bare(fields, size)
    assert picture is not None and isinstance(fields, DenseFields)
    # Where the model saw nothing, the outline alone makes a surface; a mirror needs one that is there.
    look = rough_or_prior if outline and symmetry == "off" else rough_of
    rough = rough or look(fields, size, picture)
    half_extent, volume, cubes = rough.half_extent, rough.volume, size
    if outline:
        cubes = needed_resolution(picture, rough.camera, half_extent, size, finest)
        volume = fields.dense(cubes, near=volume) if cubes > size else volume
    mirror = Verdict(None, {})
    color: Color = fields.color
    if symmetry != "off":
        mirror = judge(rough, picture, symmetry)
        if mirror.plane is not None:
            volume = symmetrised(volume, half_extent, mirror.plane)
            color = near_colors(color, mirror.plane)
    if outline:
        kept = keep_to_outline(volume, half_extent, color, picture, rough.camera)
        mesh, iou = settled(kept, half_extent, rough.camera)
        made = Surface(mesh, kept.color, rough.camera, rough.agreement, mirror, cubes, iou)
    else:
        mesh = Mesh(*extract(grid_from_volume(volume, half_extent)))
        made = Surface(mesh, color, None, rough.agreement, mirror, cubes)
    return made if len(mesh.faces) else _bare(fields, size)._replace(agreement=rough.agreement)


def settled(kept: Fitted, half_extent: float, camera: InputCamera) -> tuple[Mesh, float]:
    """The surface of a grid that keeps to the outline, and the IoU of both. Where it is seen to keep to it
    badly, for what a grid cannot follow, the outline is moved once by as much as it is missed by, and gaps
    are closed. Parts that touch in the picture are joined.
    """
    wanted, size = kept.inside > 0, len(kept.inside)
    moves = gaps = np.zeros_like(kept.inside)
    volume = kept.volume
    mesh = Mesh(*extract(grid_from_volume(volume, half_extent)))
    seen = camera.rasterize(mesh, size)
    iou = overlap(wanted, seen.mask)
    if iou < KEPT and seen.mask.any():
        reached = signed_distance(seen.mask, REACH)
        missed = np.clip(kept.inside - reached, -MOST_MOVED, MOST_MOVED) * (np.abs(kept.inside) < REACH)
        tried = blurred(missed), blurred(blurred((kept.inside > 1) & (reached < -1)) > 0)
        second = Mesh(*extract(grid_from_volume(kept.carved(*tried, []), half_extent)))
        then = camera.rasterize(second, size)
        if overlap(wanted, then.mask) > iou:
            mesh, seen, iou, (moves, gaps) = second, then, overlap(wanted, then.mask), tried
    cell = 2 * half_extent / (len(volume) - 1)
    if rods := bridges(mesh, seen, camera, wanted, cell):
        mesh = Mesh(*extract(grid_from_volume(kept.carved(moves, gaps, rods), half_extent)))
    return mesh, iou


def _bare(fields: SurfaceFields, size: int) -> Surface:
    """The model's own."""
    mesh = Mesh(*extract(fields.grid(size)))
    if not len(mesh.faces):
        raise no_object()
    return Surface(mesh, fields.color, cubes=size)
