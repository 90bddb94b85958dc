"""A picture in, a mesh or what the page shows out. (Why no postponed annotations: see fields.py.)"""

import json
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request, Response

from geco.serve.fields import FormatField, task_of
from geco.serve.jobs import MEDIA_TYPES, PREVIEW, Made, MeshTask
from geco.serve.routes.service import Service


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/mesh`` and ``/api/v1/preview``."""
    Asked = Annotated[MeshTask, Depends(task_of(service.settings))]

    @app.post("/api/v1/mesh", response_class=Response)
    async def mesh(
        request: Request,
        task: Asked,
        format: FormatField = "glb",
    ) -> Response:
        """A mesh file. Seed, model, timings and facts are in the headers X-Geco-Seed, -Model,
        -Timings and -Facts.
        """
        made = await service.make(request, replace(task, format=format))
        return Response(made.body, media_type=MEDIA_TYPES[format], headers=headers_of(made))

    @app.post("/api/v1/preview", response_class=Response)
    async def preview(request: Request, task: Asked) -> Response:
        """What the page shows, as JSON: the GLB, the cut-out picture and the sheet of six views
        in base64, and facts.
        """
        made = await service.make(request, replace(task, format=PREVIEW))
        return Response(made.body, media_type="application/json")


def headers_of(made: Made) -> dict[str, str]:
    """What is told beside a file."""
    timings = {stage: round(seconds, 4) for stage, seconds in made.timings.items()}
    return {
        "X-Geco-Seed": str(made.seed),
        "X-Geco-Model": quote(made.model, safe=""),
        "X-Geco-Timings": json.dumps(timings),
        "X-Geco-Facts": made.facts,
        "Content-Disposition": f'attachment; filename="{made.name}"',
    }
