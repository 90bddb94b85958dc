"""From fields to a finished mesh: extract, clean, decimate, unwrap, bake, project. numpy only, both runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.errors import ConfigError
from geco.isosurface.flexicubes_numpy import extract
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.clean import drop_degenerate, fill_holes, remove_floaters
from geco.mesh.decimate import decimate
from geco.mesh.manifold import make_watertight
from geco.mesh.normals import vertex_normals
from geco.mesh.project import fit_input_camera, project_picture
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap
from geco.reconstruct.interface import SurfaceFields
from geco.timing import Stopwatch


@dataclass(frozen=True)
class AssetOptions:
    """What the user may ask of the mesh; None takes the model's default.

    Attributes:
        faces: most faces of the mesh, 100 to 2,000,000; None keeps what the surface gives.
        texture_size: side of the texture, 64 to 4096.
        resolution: cubes a side of the surface grid, 16 to 512.
        watertight: guarantee a closed manifold (for printing).
        project: lay the input picture onto the visible side where the silhouettes agree.
        uv_method: "charts" (ours) or "xatlas" (extra ``mesh``).
    """

    faces: int | None = None
    texture_size: int | None = None
    resolution: int | None = None
    watertight: bool = False
    project: bool = True
    uv_method: str = "charts"

    def __post_init__(self) -> None:
        _within("faces", self.faces, 100, 2_000_000)
        _within("texture size", self.texture_size, 64, 4096)
        _within("resolution", self.resolution, 16, 512)
        if self.uv_method not in ("charts", "xatlas"):
            raise ConfigError(f"no unwrapping method is called {self.uv_method!r}", "Use charts or xatlas.")


def surface_to_asset(
    fields: SurfaceFields,
    picture: NDArray[np.float32],  # (P, P, 4) in [0, 1], the cut-out picture
    options: AssetOptions,
    resolution: int,
    texture_size: int,
    watch: Stopwatch,
) -> tuple[Mesh, dict[str, Any]]:
    """A UV-textured mesh and what was found out on the way.

    Raises:
        MeshError: the fields hold no surface.
    """
    with watch.stage("surface"):
        mesh = Mesh(*extract(fields.grid(options.resolution or resolution)))
    with watch.stage("clean"):
        mesh = clean(mesh, options)
    with watch.stage("unwrap"):
        mesh = unwrap(mesh, texture_size=texture_size, method=options.uv_method)
        mesh.normals = vertex_normals(mesh.vertices, mesh.faces)
    with watch.stage("bake"):
        raster = rasterize_uv(mesh, texture_size)
        mesh = bake(mesh, fields.color, texture_size, raster=raster)
    facts: dict[str, Any] = {"faces": len(mesh.faces), "vertices": len(mesh.vertices)}
    if options.project:
        with watch.stage("project"):
            camera = fit_input_camera(mesh, picture)
            if camera.agrees:
                mesh = project_picture(mesh, raster, picture, camera)
        facts["input_camera"] = camera.summary()
    return mesh, facts


def clean(mesh: Mesh, options: AssetOptions) -> Mesh:
    """Floaters and degenerate faces removed, small holes closed, decimated; watertight where asked for."""
    mesh = fill_holes(remove_floaters(drop_degenerate(mesh)))
    if options.faces is not None:
        mesh = drop_degenerate(decimate(mesh, options.faces))
    return make_watertight(mesh) if options.watertight else mesh


def _within(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} {value} is out of range", f"Choose {low} to {high}.")
