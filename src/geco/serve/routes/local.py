"""The local protocol of Hunyuan3D's plug-ins. (Why no postponed annotations: see fields.py.)"""

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from geco.serve.jobs import MEDIA_TYPES, MeshTask
from geco.serve.local import request_model, schema_of, task_of
from geco.serve.routes.mesh import headers_of
from geco.serve.routes.service import Service
from geco.serve.uploads import TICKET


def add(app: FastAPI, service: Service) -> None:
    """``/generate``."""
    model = request_model(service.settings.limits)
    content = {"application/json": {"schema": schema_of(model)}}
    described = {"requestBody": {"required": True, "content": content}}

    async def task_in(request: Request) -> MeshTask:
        ticket = request.scope[TICKET]
        task = await run_in_threadpool(task_of, model, ticket.body, service.settings)
        ticket.body = bytearray()
        return task

    @app.post("/generate", response_class=Response, openapi_extra=described)
    async def generate(request: Request) -> Response:
        """The mesh of a picture, as plug-ins of Hunyuan3D ask for it; every choice of `/api/v1/mesh` is
        understood, too.
        """
        task = await task_in(request)
        made = await service.make(request, task)
        return Response(made.body, media_type=MEDIA_TYPES[task.format], headers=headers_of(made, made.name))
