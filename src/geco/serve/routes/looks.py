"""Pictures of the mesh of a picture: still, or turning. (Why no postponed annotations: see fields.py.)"""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Form, Request, Response

from geco.choices import choices
from geco.serve.fields import ROWS, task_of
from geco.serve.jobs import MeshTask
from geco.serve.looks import LARGEST_STILL, LARGEST_TURNTABLE, LOOKS, SMALLEST, Look
from geco.serve.routes.mesh import headers_of
from geco.serve.routes.service import Service

FILE = tuple(choices("file"))
StillSide = Annotated[int, Form(ge=SMALLEST, le=LARGEST_STILL, description="pixels of the picture")]
TurntableSide = Annotated[int, Form(ge=SMALLEST, le=LARGEST_TURNTABLE, description="pixels of each picture")]
Azimuth = Annotated[
    float, Form(ge=-360, le=360, allow_inf_nan=False, description="degrees from the input side, to the right")
]
Elevation = Annotated[
    float, Form(ge=-90, le=90, allow_inf_nan=False, description="degrees above the horizon")
]
Turning = Annotated[
    Literal["gif", "png", "mp4"],
    Form(description="a film of 48 pictures (mp4: extra video), png: a sheet of 8"),
]


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/still`` and ``/api/v1/turntable``."""
    rows = [row for row in ROWS if row not in FILE]
    Asked = Annotated[MeshTask, Depends(task_of(service.settings, rows))]

    async def answer(request: Request, task: MeshTask) -> Response:
        made = await service.make(request, task)
        return Response(made.body, media_type=LOOKS[task.format], headers=headers_of(made, made.name))

    @app.post("/api/v1/still", operation_id="still", response_class=Response)
    async def still(
        request: Request,
        task: Asked,
        side: StillSide = 512,
        azimuth: Azimuth = 0.0,
        elevation: Elevation = 15.0,
    ) -> Response:
        """The mesh as a picture (PNG, on white); headers as of `/api/v1/mesh`."""
        look = Look(side, azimuth, elevation)
        return await answer(request, replace(task, format="still.png", look=look))

    @app.post("/api/v1/turntable", operation_id="turntable", response_class=Response)
    async def turntable(
        request: Request, task: Asked, format: Turning = "gif", side: TurntableSide = 256
    ) -> Response:
        """The mesh turning once; headers as of `/api/v1/mesh`."""
        return await answer(request, replace(task, format=f"turntable.{format}", look=Look(side)))
