"""The form of a request: its fields and their ranges, which the server's limits narrow.

Without postponed annotations: the ranges are values of a function, which FastAPI could not look up by their
names.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import File, Form, UploadFile

from geco.mesh.export.sizes import LARGEST, SMALLEST
from geco.serve.jobs import MeshTask
from geco.serve.settings import Limits

Format = Literal["glb", "obj", "ply", "stl", "usdz", "3mf"]
FormatField = Annotated[Format, Form(description="of the file; obj is zipped with its material and texture")]
# that set a range
OPTIONS = {"texture_size": "--max-texture", "faces": "--max-faces", "resolution": "--max-resolution"}


def task_of(limits: Limits) -> Callable[..., Awaitable[MeshTask]]:
    """A dependency of routes: the form, checked, as a task without a format."""
    picture_field = File(description="a picture of one object, with or without a background")
    seed_field = Form(ge=0, le=2**32 - 1, description="of the noise")
    faces_field = Form(ge=100, le=limits.faces, description="most faces of the mesh; as it comes if left out")
    texture_field = Form(
        ge=64, le=limits.texture, description="side of the texture in texels; the model's own if left out"
    )
    resolution_field = Form(
        ge=16, le=limits.resolution, description="cubes a side of the grid; the model's own if left out"
    )
    about = "how far seeds may differ, 1 the most; the model's own if left out"
    truncation_field = Form(ge=0, le=1, allow_inf_nan=False, description=about)

    about = "longest side in metres; if left out the model's own, and 0.1 for stl and 3mf, which are printed"
    size_field = Form(ge=SMALLEST, le=LARGEST, allow_inf_nan=False, description=about)

    async def asked(
        picture: Annotated[UploadFile, picture_field],
        seed: Annotated[int, seed_field] = 0,
        faces: Annotated[int | None, faces_field] = None,
        texture_size: Annotated[int | None, texture_field] = None,
        resolution: Annotated[int | None, resolution_field] = None,
        truncation: Annotated[float | None, truncation_field] = None,
        size: Annotated[float | None, size_field] = None,
    ) -> MeshTask:
        data = await picture.read()
        return MeshTask(data, seed, faces, texture_size, resolution, truncation, size, pixels=limits.pixels)

    return asked
