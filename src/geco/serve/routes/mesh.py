"""A picture in; a mesh, several, or what the page shows out. (No postponed annotations: see fields.py.)"""

import json
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request, Response

from geco.serve.archive import Manifest
from geco.serve.fields import FormatField, samples_of, task_of
from geco.serve.jobs import PREVIEW, Made, MeshTask, media_type
from geco.serve.routes.service import Service
from geco.serve.routes.streamed import Streamed, Wanted, archive

ZIP = "application/zip"


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/mesh`` and ``/api/v1/preview``."""
    Asked = Annotated[MeshTask, Depends(task_of(service.settings))]
    Seeds = Annotated[range, Depends(samples_of(service.settings.limits))]

    @app.post("/api/v1/mesh", operation_id="mesh", response_class=Response)
    async def mesh(request: Request, task: Asked, seeds: Seeds, format: FormatField = "glb") -> Response:
        """A mesh file; for several samples a zip archive of one a seed, sent as they come, with a
        manifest.json at its end. Seed, model, timings and facts of the first are in the headers X-Geco-Seed,
        -Model, -Timings and -Facts.
        """
        task = replace(task, format=format)
        first = await service.make(request, task)
        if len(seeds) == 1:
            return Response(
                first.body, media_type=media_type(first.name), headers=headers_of(first, first.name)
            )
        stem = PurePosixPath(first.name).stem
        meshes = [
            Wanted("picture", f"{stem}-seed{seed}", seed, partial(replace, task, seed=seed)) for seed in seeds
        ]
        meshes[0] = replace(meshes[0], made=first)
        pieces = archive(service, request, meshes, Manifest())
        return Streamed(pieces, ZIP, headers_of(first, "meshes.zip"))

    @app.post("/api/v1/preview", operation_id="preview", response_class=Response)
    async def preview(request: Request, task: Asked) -> Response:
        """What the page shows, as JSON: the GLB, the cut-out picture and the sheet of six views
        in base64, and facts.
        """
        made = await service.make(request, replace(task, format=PREVIEW))
        return Response(made.body, media_type="application/json")


def attachment(name: str) -> str:
    """The header that has a file saved under this name (RFC 6266)."""
    encoded = quote(name)
    return f'attachment; filename="{name}"' if encoded == name else f"attachment; filename*=utf-8''{encoded}"


def headers_of(made: Made, name: str) -> dict[str, str]:
    """What is told beside a file of that name."""
    timings = {stage: round(seconds, 4) for stage, seconds in made.timings.items()}
    return {
        "X-Geco-Seed": str(made.seed),
        "X-Geco-Model": quote(made.model, safe=""),
        "X-Geco-Timings": json.dumps(timings),
        "X-Geco-Facts": made.facts,
        "Content-Disposition": attachment(name),
    }
