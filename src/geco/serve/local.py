"""Requests of the local protocol that plug-ins of Hunyuan3D speak: JSON with a picture in base64.

The protocol is that of the public Hunyuan3D-2's ``api_server.py``, as Tencent's Blender add-on, blender-mcp
and scripts of users call it. Its numbers of another network (``octree_resolution``, ``num_inference_steps``,
``guidance_scale``) mean nothing here and are passed over, as is ``texture``: every mesh has one.
"""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from geco.serve.errors import Refusal
from geco.serve.fields import ROWS, Format, field_of, invalid, model_of, over
from geco.serve.jobs import MeshTask
from geco.serve.settings import Limits, Settings

OWN_SEED = 1234  # of the protocol's server, for requests that name none
CHOSEN = tuple(row for row in ROWS if row.name != "seed")
IMAGE = "a picture of one object in base64; a data: address is understood, too"
NO_PICTURE = "GECO makes meshes of pictures, and the request holds none"


class Request(BaseModel):
    """The protocol's own fields; what it has beside them is passed over."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    seed: int = Field(OWN_SEED, ge=0, le=2**32 - 1, description="of the noise")
    image: str = Field("", description=IMAGE)
    mesh: str | None = Field(None, exclude=True)
    face_count: int | None = Field(None, ge=100, description="most faces of the mesh, as `faces`")
    type: Format = Field("glb", description="of the file")


def request_model(settings: Settings) -> type[Request]:
    """The protocol's fields and those of the table of choices, within the server's limits."""
    rows: dict[str, Any] = {}
    for row in (*CHOSEN, model_of(settings)):
        kind, about = field_of(row, settings.limits)
        rows[row.name] = (kind, Field(row.default, **about))
    return create_model("LocalRequest", __base__=Request, **rows)


def schema_of(model: type[Request]) -> dict[str, Any]:
    """The JSON schema of a request that is answered with a mesh."""
    schema = model.model_json_schema()
    del schema["properties"]["mesh"]
    schema["properties"]["image"] = {"type": "string", "format": "byte", "minLength": 1, "description": IMAGE}
    return {**schema, "required": ["image"]}


def task_of(model: type[Request], body: bytes | bytearray, settings: Settings) -> MeshTask:
    """A body, checked, as a task.

    Raises:
        Refusal: 422, it is no such request, has no picture, or asks for what GECO does not do; 413, a picture
            beyond the limit.
    """
    try:
        asked = model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise invalid(error.errors()[0]) from None
    if asked.mesh:
        raise Refusal(422, "NoPainting", "GECO does not paint a mesh that is given", "Send an image alone.")
    if not asked.image:
        raise Refusal(422, "NoPicture", NO_PICTURE, "Send an image; a text alone is not enough.")
    values = asked.model_dump(include={row.name for row in CHOSEN})
    if values["faces"] is None and asked.face_count is not None:
        values["faces"] = min(asked.face_count, settings.limits.faces)
    picture = _decoded(asked.image, settings.limits)
    pixels, model_name = settings.limits.pixels, asked.model_dump(include={"model"})["model"]
    return MeshTask(picture, asked.seed, over(values, settings), asked.type, pixels, model=model_name)


def _decoded(image: str, limits: Limits) -> bytes:
    if image.startswith("data:"):
        image = image.partition(",")[2]
    try:
        picture = base64.b64decode("".join(image.split()), validate=True)  # some wrap its lines
    except ValueError:
        problem = "the image is no base64"
        raise Refusal(422, "InvalidRequest", problem, "Encode the file's bytes.") from None
    if len(picture) > limits.upload:
        problem = f"the image is larger than this server's limit of {limits.upload / 2**20:g} MiB"
        raise Refusal(413, "TooLarge", problem, "Reduce the picture first.")
    return picture
