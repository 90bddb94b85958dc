"""A bare mesh to a coloured one: unwrapped, baked from the fields' colours, the picture laid on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geco.cameras import Lens
from geco.images.detail import Detail, detail_of
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.normal_map import bake_normals
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap
from geco.mesh.uv_raster import UVRaster
from geco.mesh.vertex_colors import vertex_raster, with_vertex_colors
from geco.photo.fit_camera import fit_and_look
from geco.photo.input_camera import AGREEING_IOU, InputCamera
from geco.photo.large_texture import BAKED, PICTURED, enlarged, project_large
from geco.photo.look import look
from geco.photo.mirrored import project_mirrored
from geco.photo.projection import EXACT, ROUGH, project_picture, shown_texels
from geco.photo.rough import agreement_facts
from geco.photo.surface import Surface
from geco.timing import Stopwatch
from geco.types import Floats


@dataclass(frozen=True)
class Paint:
    """What a mesh of one picture is coloured with.

    Attributes:
        surface: how the mesh came about: its colours, its camera, its mirror.
        picture: (P, P, 4) in [0, 1], the cut-out picture to lay on where it agrees; None: no picture.
        detail: the picture at its own size, for textures above :data:`geco.photo.large_texture.BAKED`; None:
            the cut-out is laid on them, too.
        lens: through which the fields see their picture.
        uv_method: "charts" or "xatlas"; None: colours at the vertices.
    """

    surface: Surface
    picture: Floats | None
    detail: Callable[[int], Detail] | None
    lens: Lens
    uv_method: str | None = "charts"


def painted(
    mesh: Mesh, paint: Paint, size: int, watch: Stopwatch, fine: Mesh | None = None
) -> tuple[Mesh, dict[str, Any]]:
    """A bare mesh with UVs and a texture of ``size`` texels a side, or with colours at its vertices; and what
    was found out on the way. With a normal map where there is a ``fine`` surface for it.
    """
    if paint.uv_method is None:
        size = 0
    else:
        with watch.stage("unwrap"):
            mesh = unwrap(mesh, texture_size=min(size, BAKED), method=paint.uv_method)
    with watch.stage("bake"):
        mesh.normals = vertex_normals(mesh.vertices, mesh.faces)
        raster = rasterize_uv(mesh, min(size, BAKED)) if size else vertex_raster(mesh)
        mesh = bake(mesh, paint.surface.color, raster.size, raster=raster)
    facts: dict[str, Any] = {
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        "outline_kept": paint.surface.camera is not None,
    }
    agreement = paint.surface.agreement
    if paint.picture is not None:
        with watch.stage("project"):
            mesh, camera, projected = _pictured(mesh, raster, paint, paint.picture, size)
        agreement = camera.iou if agreement is None else agreement
        facts |= {"projected": projected, "input_camera": camera.summary()}
    facts |= agreement_facts(agreement) | paint.surface.mirror.facts
    if not size:
        return with_vertex_colors(mesh), facts
    if fine is not None:
        with watch.stage("normal map"):
            mesh.normal_map = bake_normals(mesh, raster, fine)
    if mesh.texture is not None and len(mesh.texture) < size:
        with watch.stage("enlarge"):
            mesh.texture = enlarged(mesh.texture, size)
    return mesh, facts


def _pictured(
    mesh: Mesh, raster: UVRaster, paint: Paint, picture: Floats, size: int
) -> tuple[Mesh, InputCamera, bool]:
    """The mesh with the picture laid on if they agree, on the raster's texture or on one of ``size`` texels
    where that is larger; the camera; and whether they do.
    """
    shown = mesh if size else with_vertex_colors(mesh)
    if paint.surface.camera is None:
        camera, seen = fit_and_look(shown, picture, paint.lens)
        agrees, trust = camera.agrees, EXACT
    else:
        camera, seen = look(paint.surface.camera, shown, picture)
        # Where the surface was made to keep to the outline, a colour that differs is the model's error, not
        # another object. Hairs and nets, which are thinner than a cell, agree as far as they were widened.
        agrees, trust = max(camera.iou, paint.surface.kept) >= AGREEING_IOU, ROUGH
    if not agrees:
        return mesh, camera, False
    if paint.surface.mirror.plane is not None:
        mesh = project_mirrored(mesh, raster, picture, camera, trust, paint.surface.mirror.plane)
    if size <= raster.size:
        return project_picture(mesh, raster, picture, camera, trust, seen), camera, True
    texels, share, _ = shown_texels(mesh, raster, picture, camera, trust, seen)
    detail = detail_of(picture) if paint.detail is None else paint.detail(round(size * PICTURED))
    return project_large(mesh, raster, (texels, share), detail, size, camera), camera, True
