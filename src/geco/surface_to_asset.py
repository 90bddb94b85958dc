"""From fields to a finished mesh: extract, clean, decimate, unwrap, bake, project. numpy only,
both runtimes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeGuard

from geco.asset_options import AssetOptions
from geco.errors import ConfigError
from geco.images.detail import Detail
from geco.mesh.clean import (
    drop_degenerate,
    fill_holes,
    floating_faces,
    remove_floaters,
    without_faces,
)
from geco.mesh.decimate import decimate
from geco.mesh.hull import convex_hull
from geco.mesh.levels import colored_as, side_of
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.mesh.watertight import make_watertight
from geco.painting import Paint, painted
from geco.photo.rough import Rough
from geco.photo.shown import unless_shown
from geco.photo.surface import surface
from geco.reconstruct.fields import (
    DenseFields,
    SurfaceFields,
    TensorFields,
    lens_of,
    nothing_left,
)
from geco.timing import Stopwatch
from geco.types import Floats

# Own choice: what a finer grid gives beyond so many faces, about the most of the usual one, is decimated.
REFINED_FACES = 24_000


class Beside(NamedTuple):
    """What is known of picture and fields besides themselves.

    Attributes:
        detail: the picture at its own size; see :class:`geco.painting.Paint`.
        rough: these fields on the grid that is asked for, where they were looked at already.
        finest: cubes a side that a thin outline may be refined to; None: as many as it needs.
    """

    detail: Callable[[int], Detail] | None = None
    rough: Rough | None = None
    finest: int | None = None


def surface_to_asset(
    fields: SurfaceFields,
    picture: Floats,  # (P, P, 4) in [0, 1], the cut-out picture
    options: AssetOptions,
    resolution: int,
    texture_size: int,
    watch: Stopwatch,
    beside: Beside | None = None,
) -> tuple[Mesh, dict[str, Any]]:
    """A mesh with UVs and a texture, or with colours at its vertices, and what was found out on the way.

    Args:
        beside: what else is known.

    Raises:
        MeshError: the fields hold no surface.
    """
    size, beside = options.resolution or resolution, beside or Beside()
    if options.symmetry != "off" and not isinstance(fields, DenseFields):
        raise ConfigError(
            "symmetry is found in a volume of signed distances, and this model's fields are none",
            "Leave symmetry out; the embedded model and others of its family have it.",
        )
    if _stays_on_device(fields, options):
        mesh, facts = _on_device(fields, picture, options, size, texture_size, watch)
    else:
        mesh, facts = _on_host(fields, picture, options, (size, texture_size), watch, beside)
    if options.collision:
        with watch.stage("collision"):
            mesh.beside["_collision"] = convex_hull(mesh)
    return mesh, facts


def _on_host(
    fields: SurfaceFields,
    picture: Floats,
    options: AssetOptions,
    sizes: tuple[int, int],
    watch: Stopwatch,
    beside: Beside,
) -> tuple[Mesh, dict[str, Any]]:
    """``sizes``: of the grid and of the texture."""
    with watch.stage("surface"):
        finest = beside.finest if options.resolution is None else options.resolution
        made = surface(fields, sizes[0], picture, options.outline, options.symmetry, beside.rough, finest)
    with watch.stage("clean"):
        sound = drop_degenerate(made.mesh)
        floating = floating_faces(sound)
        if made.camera is not None:
            floating = unless_shown(sound, floating, made.camera, picture)
        whole = fill_holes(without_faces(sound, floating))
        counts = options.counts
        if made.cubes > sizes[0] and counts == (None,) and len(whole.faces) > REFINED_FACES:
            counts = (REFINED_FACES,)
        first, *coarser = (finish(whole, options, count) for count in counts)
        if not len(first.faces):
            raise nothing_left()
    fine = _smooth(whole) if options.normal_map else None
    shown = picture if options.projection else None
    method = None if options.vertex_colors else options.uv_method
    paint = Paint(made, shown, beside.detail, lens_of(fields), method)
    mesh, facts = painted(first, paint, sizes[1], watch, fine)
    if coarser:
        with watch.stage("levels"):
            for number, level in enumerate(coarser, 1):
                side = side_of(number, sizes[1])
                mesh.beside[f"_LOD{number}"] = colored_as(level, mesh, side, options.uv_method, fine)
        facts["lods"] = [len(mesh.faces), *(len(level.faces) for level in coarser)]
    return mesh, facts


def _smooth(mesh: Mesh) -> Mesh:
    return mesh.with_(normals=vertex_normals(mesh.vertices, mesh.faces))


def _stays_on_device(fields: SurfaceFields, options: AssetOptions) -> TypeGuard[TensorFields]:
    """As asked for; else where CUDA is: MPS lacks the wide floats that decide on edges."""
    if not isinstance(fields, TensorFields):
        if options.on_device:
            raise ConfigError(
                "this model's fields answer in numpy, and cannot become a mesh on a device",
                "Leave on_device out.",
            )
        return False
    if options.lods or options.normal_map:
        if options.on_device:
            raise ConfigError("levels and normal maps are made on the host", "Leave on_device out.")
        return False
    return fields.device.type == "cuda" if options.on_device is None else options.on_device


def _on_device(
    fields: TensorFields,
    picture: Floats,
    options: AssetOptions,
    resolution: int,
    texture_size: int,
    watch: Stopwatch,
) -> tuple[Mesh, dict[str, Any]]:
    from geco.on_device.asset import Wanted, asset_on_device

    wanted = Wanted(
        resolution,
        None if options.vertex_colors else texture_size,
        picture if options.projection else None,
        options.uv_method,
        partial(finish, options=options, faces=options.faces)
        if options.faces is not None or options.watertight
        else None,
    )
    return asset_on_device(fields, wanted, watch)


def clean(mesh: Mesh, options: AssetOptions) -> Mesh:
    """Floaters and degenerate faces removed, small holes closed, decimated; watertight where asked for."""
    return finish(fill_holes(remove_floaters(drop_degenerate(mesh))), options, options.counts[0])


def finish(mesh: Mesh, options: AssetOptions, faces: int | None) -> Mesh:
    """A clean mesh decimated to ``faces``, where they are not None, and made watertight where asked for."""
    if faces is not None:
        mesh = drop_degenerate(decimate(mesh, faces))
    return make_watertight(mesh) if options.watertight else mesh
