"""The local protocol of Hunyuan3D's plug-ins. (Why no postponed annotations: see fields.py.)"""

import base64
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from geco.serve.job import Job
from geco.serve.job_store import mesh_file
from geco.serve.jobs import MeshTask, media_type
from geco.serve.local import request_model, task_of
from geco.serve.routes.mesh import headers_of
from geco.serve.routes.service import Service
from geco.serve.samples import SamplesTask
from geco.serve.uploads import TICKET

NO_MORE = {"type": "NotFound", "problem": "the result is not kept any more", "remedy": "Send it again."}


def add(app: FastAPI, service: Service) -> None:
    """``/generate``, ``/send`` and ``/status``."""
    model = request_model(service.settings)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/LocalRequest"}}}
    described = {"requestBody": {"required": True, "content": content}}

    async def task_in(request: Request) -> MeshTask:
        ticket = request.scope[TICKET]
        task = await run_in_threadpool(task_of, model, ticket.body, service.settings)
        ticket.body = bytearray()
        return task

    @app.post("/generate", operation_id="generate", response_class=Response, openapi_extra=described)
    async def generate(request: Request) -> Response:
        """The mesh of a picture, as plug-ins of Hunyuan3D ask for it; every choice of `/api/v1/mesh` is
        understood, too.
        """
        task = await task_in(request)
        made = await service.make(request, task)
        return Response(made.body, media_type=media_type(made.name), headers=headers_of(made, made.name))

    @app.post("/send", operation_id="send", response_class=JSONResponse, openapi_extra=described)
    async def send(request: Request) -> JSONResponse:
        """The same, made while nobody waits: the job's id as `uid`. It is one of `/api/v1/jobs`, too."""
        task = await task_in(request)
        wanted = SamplesTask(task, (task.seed,))
        job = await service.board.add(wanted, request.scope[TICKET], task.model)
        return JSONResponse({"uid": job.id})

    @app.get("/status/{uid}", operation_id="status", response_class=JSONResponse)
    async def status(uid: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> JSONResponse:
        """Of what was sent: `processing`; `completed` with the file in base64; `failed` with the error, also
        where it was cancelled or its server ended; 404 for what is not known (any more).
        """
        shown = await run_in_threadpool(_status, service, service.board.find(uid))
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})


def _status(service: Service, job: Job) -> dict[str, Any]:
    if job.is_open:
        shown = {"status": "processing", "position": job.position, "stage": job.stage}
        return {name: value for name, value in shown.items() if value is not None}
    if job.state != "done":
        error = job.error or {"type": "Cancelled", "problem": f"the job was {job.state}", "remedy": ""}
        return {"status": "failed", "error": error}
    try:
        data = service.board.store.path(job, mesh_file(job.seeds[0])).read_bytes()
    except OSError:  # its time ended just now
        return {"status": "failed", "error": NO_MORE}
    return {"status": "completed", "model_base64": base64.b64encode(data).decode()}
