"""From fields to a finished mesh: extract, clean, decimate, unwrap, bake, project. numpy only,
both runtimes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeGuard, get_args

import numpy as np

from geco.errors import ConfigError
from geco.images.detail import Detail
from geco.mesh.clean import drop_degenerate, fill_holes, remove_floaters
from geco.mesh.decimate import decimate
from geco.mesh.types import Mesh
from geco.mesh.watertight import make_watertight
from geco.painting import Paint, painted
from geco.photo.mirrored import Symmetry
from geco.photo.rough import Rough
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


@dataclass(frozen=True)
class AssetOptions:
    """What the user may ask of the mesh; None takes the model's default.

    Attributes:
        faces: most faces of the mesh, 100 to 2,000,000; None keeps what the surface gives.
        texture_size: side of the texture, 64 to 4096.
        resolution: cubes a side of the surface grid, 16 to 512.
        watertight: guarantee a closed manifold (for printing).
        projection: lay the input picture onto the visible side where the silhouettes agree.
        outline: make the surface keep to the input picture's outline (models whose fields are sampled
            densely: the small one).
        uv_method: "charts" (ours) or "xatlas" (extra ``mesh``).
        vertex_colors: colours at the vertices in place of UVs and a texture, which takes less time and shows
            as much as the surface has vertices; there is no texture size then.
        on_device: make the mesh where the fields live, in torch, or on the host; None: on the device where
            that is CUDA. Not for fields that answer in numpy alone (the small model's).
        best_of: seeds that are drawn for a mesh, 1 to 16; the one that agrees best with the picture becomes
            it (:meth:`geco.pipeline.GecoPipeline.best`).
        symmetry: "on" makes the far half of the object the mirror image of the one that the picture shows,
            and lays the picture on it; "auto" where measures of volume and picture say so; "off". Of models
            whose fields are sampled densely.
    """

    faces: int | None = None
    texture_size: int | None = None
    resolution: int | None = None
    watertight: bool = False
    projection: bool = True
    outline: bool = True
    uv_method: str = "charts"
    vertex_colors: bool = False
    on_device: bool | None = None
    best_of: int = 1
    symmetry: Symmetry = "off"

    def __post_init__(self) -> None:
        _within("faces", self.faces, 100, 2_000_000)
        _within("texture size", self.texture_size, 64, 4096)
        _within("resolution", self.resolution, 16, 512)
        _within("best of", self.best_of, 1, 16)
        if self.symmetry not in get_args(Symmetry):
            raise ConfigError(f"no symmetry is called {self.symmetry!r}", "Use off, on or auto.")
        if self.uv_method not in ("charts", "xatlas"):
            raise ConfigError(f"no unwrapping method is called {self.uv_method!r}", "Use charts or xatlas.")
        if self.vertex_colors and (self.texture_size is not None or self.uv_method != "charts"):
            asked = "a texture size" if self.texture_size is not None else "a way of unwrapping"
            raise ConfigError(
                f"{asked} is for a texture, and colours at the vertices need none", "Leave one out."
            )


class Beside(NamedTuple):
    """What is known of picture and fields besides themselves.

    Attributes:
        detail: the picture at its own size; see :class:`geco.painting.Paint`.
        rough: these fields on the grid that is asked for, where they were looked at already.
    """

    detail: Callable[[int], Detail] | None = None
    rough: Rough | None = None


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
        return _on_device(fields, picture, options, size, texture_size, watch)
    with watch.stage("surface"):
        made = surface(fields, size, picture, options.outline, options.symmetry, beside.rough)
    with watch.stage("clean"):
        mesh = clean(made.mesh, options)
        if not len(mesh.faces):
            raise nothing_left()
    shown = picture if options.projection else None
    method = None if options.vertex_colors else options.uv_method
    paint = Paint(made, shown, beside.detail, lens_of(fields), method)
    return painted(mesh, paint, texture_size, watch)


def _stays_on_device(fields: SurfaceFields, options: AssetOptions) -> TypeGuard[TensorFields]:
    """As asked for; else where CUDA is: MPS lacks the wide floats that decide on edges."""
    if not isinstance(fields, TensorFields):
        if options.on_device:
            raise ConfigError(
                "this model's fields answer in numpy, and cannot become a mesh on a device",
                "Leave on_device out.",
            )
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
        partial(finish, options=options) if options.faces is not None or options.watertight else None,
    )
    return asset_on_device(fields, wanted, watch)


def clean(mesh: Mesh, options: AssetOptions) -> Mesh:
    """Floaters and degenerate faces removed, small holes closed, decimated; watertight where asked for."""
    return finish(fill_holes(remove_floaters(drop_degenerate(mesh))), options)


def finish(mesh: Mesh, options: AssetOptions) -> Mesh:
    """A clean mesh decimated and made watertight where asked for."""
    if options.faces is not None:
        mesh = drop_degenerate(decimate(mesh, options.faces))
    return make_watertight(mesh) if options.watertight else mesh


def _within(name: str, value: int | None, low: int, high: int) -> None:
    if value is None:
        return
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} {value!r} is out of range", f"Choose a whole number from {low} to {high}.")
