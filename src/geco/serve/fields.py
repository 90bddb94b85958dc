"""The form of a request: its fields and their ranges, which the server's limits narrow.

Without postponed annotations: the ranges are values of a function, which FastAPI could not look up by their
names.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, File, Form, UploadFile

from geco.mesh.export.sizes import LARGEST, SMALLEST
from geco.sampling import Reference, Steering, Walking
from geco.serve.jobs import MeshTask
from geco.serve.settings import Limits, Settings

Format = Literal["glb", "obj", "ply", "stl", "usdz", "3mf"]
FormatField = Annotated[Format, Form(description="of the file; obj is zipped with its material and texture")]
# that set a range
OPTIONS = {
    "texture_size": "--max-texture",
    "faces": "--max-faces",
    "resolution": "--max-resolution",
    "steps": "--max-steps",
}


def task_of(settings: Settings) -> Callable[..., Awaitable[MeshTask]]:
    """A dependency of routes: the form, checked, as a task without a format."""
    picture_field = File(description="a picture of one object, with or without a background")
    seed_field = Form(ge=0, le=2**32 - 1, description="of the noise")
    Views = Annotated[Steering, Depends(steering_of(settings))]
    Mesh = Annotated[dict[str, Any], Depends(mesh_of(settings.limits))]

    async def asked(
        picture: Annotated[UploadFile, picture_field],
        views: Views,
        mesh: Mesh,
        seed: Annotated[int, seed_field] = 0,
    ) -> MeshTask:
        data = await picture.read()
        return MeshTask(data, seed, views=views, pixels=settings.limits.pixels, **mesh)

    return asked


def steering_of(settings: Settings) -> Callable[..., Awaitable[Steering]]:
    """A dependency: how the views shall be drawn; where the form does not say it, as the server's own options
    do.
    """
    about = "passes, of a model that draws views in many; time grows with them; the model's own if left out"
    steps_field = Form(ge=1, le=settings.limits.steps, description=about)
    about = "scale of classifier-free guidance, 1 is none; the model's own if left out"
    guidance_field = Form(ge=0, le=100, allow_inf_nan=False, description=about)
    sampler_field = Form(description="rule of the steps; the model's own if left out")
    about = "the picture read once, or noised to the level of each step; the model's own if left out"
    reference_field = Form(description=about)
    about = "how far seeds may differ, 1 the most, of a one-step generator; the model's own if left out"
    truncation_field = Form(ge=0, le=1, allow_inf_nan=False, description=about)

    async def steering(
        steps: Annotated[int | None, steps_field] = None,
        guidance: Annotated[float | None, guidance_field] = None,
        sampler: Annotated[Walking | None, sampler_field] = None,
        reference: Annotated[Reference | None, reference_field] = None,
        truncation: Annotated[float | None, truncation_field] = None,
    ) -> Steering:
        return Steering(steps, guidance, sampler, reference, truncation).over(settings.views)

    return steering


def mesh_of(limits: Limits) -> Callable[..., Awaitable[dict[str, Any]]]:
    """A dependency: what the mesh shall be like, by the names of :class:`MeshTask`."""
    faces_field = Form(ge=100, le=limits.faces, description="most faces of the mesh; as it comes if left out")
    texture_field = Form(
        ge=64, le=limits.texture, description="side of the texture in texels; the model's own if left out"
    )
    resolution_field = Form(
        ge=16, le=limits.resolution, description="cubes a side of the grid; the model's own if left out"
    )
    colors_field = Form(description="colours at the vertices in place of UVs and a texture")
    about = "longest side in metres; if left out the model's own, and 0.1 for stl and 3mf, which are printed"
    size_field = Form(ge=SMALLEST, le=LARGEST, allow_inf_nan=False, description=about)

    async def mesh(
        faces: Annotated[int | None, faces_field] = None,
        texture_size: Annotated[int | None, texture_field] = None,
        resolution: Annotated[int | None, resolution_field] = None,
        vertex_colors: Annotated[bool, colors_field] = False,
        size: Annotated[float | None, size_field] = None,
    ) -> dict[str, Any]:
        return {
            "faces": faces,
            "texture_size": texture_size,
            "resolution": resolution,
            "vertex_colors": vertex_colors,
            "size": size,
        }

    return mesh
