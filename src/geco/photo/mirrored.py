"""Whether an object is its own mirror image, and the picture on the side that only the mirror shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster
from geco.photo.input_camera import InputCamera, silhouette
from geco.photo.projection import Trust, project_picture
from geco.photo.rough import Rough
from geco.photo.symmetry import MirrorPlane, find_plane
from geco.types import Floats

Symmetry = Literal["off", "on", "auto"]

# What `auto` asks for before it mirrors near and far. That the picture itself is a mirror image, left and
# right, says more of the hidden side than the volume, which is the model's guess of it: bottles, balls, boxes
# and cakes have it, an animal from the side has not. Chosen on 280 views of training objects, checked on 306
# others (docs/symmetry.md).
LEAST_OUTLINE, MOST_GAP = 0.94, 0.05
LEAST_OVERLAP, LEAST_AGREEMENT = 0.9, 0.9


@dataclass(frozen=True)
class Likeness:
    """How much a picture is its own mirror image, left and right.

    Attributes:
        outline: IoU of outline and mirrored outline, both in their box.
        gap: mean absolute difference of the colours where both are.
    """

    outline: float
    gap: float


class Verdict(NamedTuple):
    """What was found out about an object's symmetry.

    Attributes:
        plane: the mirror to use; None: none.
        facts: for the mesh's.
    """

    plane: MirrorPlane | None
    facts: dict[str, Any]


def likeness(picture: Floats) -> Likeness:
    """Of a cut-out (S, S, 4)."""
    mask = silhouette(picture[..., 3])
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(columns):
        return Likeness(0.0, 1.0)
    box = slice(columns[0], columns[-1] + 1)
    inside, colors = mask[:, box], picture[:, box, :3]
    both = inside & inside[:, ::-1]
    outline = float(both.sum() / (inside | inside[:, ::-1]).sum())
    gap = np.abs(colors - colors[:, ::-1])[both]
    return Likeness(outline, float(gap.mean()) if len(gap) else 1.0)


def judge(rough: Rough, picture: Floats, asked: Symmetry) -> Verdict:
    """The mirror plane to use where symmetry is asked for: always, or where all measures say so.

    Args:
        rough: the model's own surface.
        picture: (P, P, 4) the cut-out.
        asked: "on" or "auto".
    """
    plane = find_plane(rough.volume, rough.half_extent)
    reason = None if asked == "on" else _doubt(plane, likeness(picture), rough.agreement)
    told = {"angle": plane.angle, "offset": round(plane.offset, 4), "overlap": round(plane.overlap, 4)}
    facts: dict[str, Any] = {"asked": asked, "mirrored": reason is None, **told}
    if reason is not None:
        facts["reason"] = reason
    return Verdict(plane if reason is None else None, {"symmetry": facts})


def _doubt(plane: MirrorPlane, picture: Likeness, agreement: float) -> str | None:
    """The first measure that speaks against it, in words."""
    if plane.angle != 0:
        return f"another plane than that of near and far fits the volume best, at {plane.angle:g} degrees"
    for what, value, bound in (
        ("the volume and its mirror image overlap", plane.overlap, LEAST_OVERLAP),
        ("the picture's outline and its mirror image overlap", picture.outline, LEAST_OUTLINE),
        ("the model's outline and the picture's agree", agreement, LEAST_AGREEMENT),
    ):
        if value < bound:
            return f"{what} to {value:.2f}, {bound:.2f} are asked for"
    if picture.gap > MOST_GAP:
        return f"the picture and its mirror image differ by {picture.gap:.2f}, at most {MOST_GAP:.2f} may be"
    return None


def project_mirrored(
    mesh: Mesh, raster: UVRaster, picture: Floats, camera: InputCamera, trust: Trust, plane: MirrorPlane
) -> Mesh:
    """A copy of the mesh whose texture shows the picture where the camera's mirror image sees the surface
    well: to be done before the picture is laid on from the camera itself, which goes over it.

    Arguments as of :func:`geco.photo.projection.project_picture`; the mirror image of the mesh is seen by the
    camera as the mesh is by the camera's mirror image.
    """
    turned = mesh.with_(
        vertices=plane.mirrored(mesh.vertices),
        # A mirror turns faces inside out; so two corners change places, here and in the raster.
        faces=mesh.faces[:, [0, 2, 1]],
        normals=None if mesh.normals is None else plane.turned(mesh.normals),
    )
    weights = np.ascontiguousarray(raster.weights[[0, 2, 1]])
    painted = project_picture(turned, replace(raster, weights=weights), picture, camera, trust)
    return mesh.with_(texture=painted.texture)
