"""From fields to a finished mesh on the fields' own device; what comes back to the host is the mesh and its
texture in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from geco.cameras import Lens
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap as unwrap_on_host
from geco.on_device.clean import clean
from geco.on_device.extract import extract
from geco.on_device.fit_camera import Picture, find_camera
from geco.on_device.normals import vertex_normals
from geco.on_device.projection import project_picture
from geco.on_device.texels import Texels, bake, texels_of, texels_of_vertices
from geco.on_device.types import DeviceMesh
from geco.on_device.unwrap import unwrap
from geco.photo.input_camera import InputCamera
from geco.photo.rough import agreement_facts
from geco.reconstruct.fields import TensorFields, lens_of, no_object, nothing_left
from geco.timing import Stopwatch
from geco.types import Floats


@dataclass(frozen=True)
class Wanted:
    """What is asked of the mesh.

    Attributes:
        resolution: cubes a side of the surface grid.
        texture_size: texels a side; None: colours at the vertices.
        picture: (P, P, 4) in [0, 1], the cut-out picture to lay on where it agrees; None: no picture.
        uv_method: "charts" or "xatlas" (on the host).
        finish: what the host does to the clean mesh, decimation for instance; None: nothing.
    """

    resolution: int
    texture_size: int | None
    picture: Floats | None
    uv_method: str = "charts"
    finish: Callable[[Mesh], Mesh] | None = None


@torch.no_grad()
def asset_on_device(fields: TensorFields, wanted: Wanted, watch: Stopwatch) -> tuple[Mesh, dict[str, Any]]:
    """A mesh with UVs and a texture, or with colours at its vertices, and what was found out on the way.

    ``watch`` has the host's seconds: where the device is behind, a stage's work shows in a later one, and
    only the sum is the whole.

    Raises:
        MeshError: the fields hold no surface.
    """
    with watch.stage("surface"):
        mesh = extract(fields.tensor_grid(wanted.resolution))
        if not len(mesh.faces):
            raise no_object()
    with watch.stage("clean"):
        mesh = clean(mesh)
        if wanted.finish is not None:
            mesh = DeviceMesh.of(wanted.finish(mesh.on_host("a mesh that the host finishes")), mesh.device)
        if not len(mesh.faces):
            raise nothing_left()
    if wanted.texture_size is not None:
        with watch.stage("unwrap"):
            mesh = _unwrapped(mesh, wanted.texture_size, wanted.uv_method)
    with watch.stage("bake"):
        mesh = mesh.with_(normals=vertex_normals(mesh.vertices, mesh.faces))
        size = wanted.texture_size
        texels = texels_of_vertices(mesh) if size is None else texels_of(mesh, size)
        mesh = bake(mesh, fields.tensor_color, texels)
    facts: dict[str, Any] = {"faces": len(mesh.faces), "vertices": len(mesh.vertices), "outline_kept": False}
    agreement = None
    if wanted.picture is not None:
        with watch.stage("project"):
            mesh, camera = _with_picture(mesh, texels, wanted.picture, lens_of(fields))
        facts |= {"projected": camera.agrees, "input_camera": camera.summary()}
        agreement = camera.iou
    facts |= agreement_facts(agreement)
    with watch.stage("to the host"):
        return (_shown(mesh) if wanted.texture_size is None else mesh).on_host("the finished mesh"), facts


def _unwrapped(mesh: DeviceMesh, size: int, method: str) -> DeviceMesh:
    if method == "charts":
        return unwrap(mesh, size)
    host = unwrap_on_host(mesh.on_host("a mesh that the host unwraps"), texture_size=size, method=method)
    return DeviceMesh.of(host, mesh.device)


def _with_picture(
    mesh: DeviceMesh, texels: Texels, rgba: Floats, lens: Lens
) -> tuple[DeviceMesh, InputCamera]:
    """The mesh with the picture laid on if they agree, and the camera."""
    picture = Picture.of(rgba, mesh.device)
    if picture is None:
        return mesh, InputCamera(0.0, iou=0.0, color_error=1.0)
    found = find_camera(_shown(mesh) if mesh.uvs is None else mesh, picture, lens)
    if found.camera.agrees:
        mesh = project_picture(mesh, texels, picture, found)
    return mesh, found.camera


def _shown(mesh: DeviceMesh) -> DeviceMesh:
    """A mesh whose texels are its vertices, with their colours as such."""
    assert mesh.texture is not None
    colors = mesh.texture.reshape(-1, 3)[: len(mesh.vertices)].float() / 255
    return mesh.with_(texture=None, colors=colors)
