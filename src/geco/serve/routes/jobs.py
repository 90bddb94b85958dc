"""Jobs: several samples of a picture, made while nobody has to wait. (Why no postponed annotations: see
fields.py.)
"""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, Path, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from geco.serve import events
from geco.serve.errors import REQUEST_ID, Refusal
from geco.serve.fields import FormatField, samples_of, task_of
from geco.serve.frame import BODILESS
from geco.serve.job import Job
from geco.serve.job_store import mesh_file, shape_file, still_file, turntable_file, views_file
from geco.serve.jobs import MeshTask
from geco.serve.routes.service import Service
from geco.serve.samples import TURNTABLES, SamplesTask, TurntableTask
from geco.serve.uploads import TICKET

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Seed = Annotated[int, Path(ge=0, le=2**32 - 1)]
Turning = Literal["gif", "png", "mp4"]


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/jobs`` and all below it."""
    _add_jobs(app, service)
    _add_events(app, service)
    _add_files(app, service)
    _add_turntables(app, service)


def _add_jobs(app: FastAPI, service: Service) -> None:
    board = service.board
    Asked = Annotated[MeshTask, Depends(task_of(service.settings))]
    Seeds = Annotated[range, Depends(samples_of(service.settings.limits))]

    @app.post("/api/v1/jobs", operation_id="add_job", status_code=202, response_class=JSONResponse)
    async def add_job(request: Request, task: Asked, seeds: Seeds, format: FormatField = "glb") -> Response:
        """The form of `/api/v1/mesh` and the number of samples; the job that it became. It goes on without
        its client.
        """
        wanted = SamplesTask(replace(task, format=format), tuple(seeds))
        job = await board.add(wanted, request.scope[TICKET], wanted.model)
        return JSONResponse(board.shown(job), 202, {"Location": f"/api/v1/jobs/{job.id}"})

    @app.get("/api/v1/jobs/{id}", operation_id="job", response_class=JSONResponse)
    async def job(id: Id) -> JSONResponse:
        """How far a job is, and what came of it."""
        return JSONResponse(board.shown(board.find(id)), headers={"Cache-Control": "no-store"})

    @app.delete("/api/v1/jobs/{id}", operation_id="end_job", response_class=JSONResponse)
    async def end_job(id: Id) -> Response:
        """Cancel a job that waits or runs; what is finished of it stays. One that is over is forgotten."""
        found = board.find(id)
        if found.is_open:
            await board.cancel(found)
            return JSONResponse(board.shown(found))
        await board.forget(found)
        return Response(status_code=204)


def _add_events(app: FastAPI, service: Service) -> None:
    board, listeners = service.board, service.listeners

    @app.get("/api/v1/jobs/{id}/events", operation_id="job_events", response_class=Response)
    async def job_events(
        request: Request,
        id: Id,
        last: Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**53)] = 0,
    ) -> Response:
        """Server-sent events `state`, `stage`, `views`, `result` and `end`, each with the whole job; 204 for
        who has heard the end.
        """
        found = board.find(id)
        if not found.is_open and last >= found.serial:
            return Response(status_code=204)
        if request.scope[BODILESS]:
            return Response(headers=events.HEADERS, media_type=events.MEDIA_TYPE)
        leave = listeners.enter(_address(request))
        return events.EventsResponse(events.stream(board, found, last), leave)


def _add_files(app: FastAPI, service: Service) -> None:
    board = service.board

    @app.get("/api/v1/jobs/{id}/views/{seed}.png", operation_id="job_views", response_class=Response)
    async def job_views(id: Id, seed: Seed) -> FileResponse:
        """The six views of a seed, three rows of two."""
        return _file(service, board.find(id), views_file(seed), "image/png")

    @app.get("/api/v1/jobs/{id}/still/{seed}.png", operation_id="job_still", response_class=Response)
    async def job_still(id: Id, seed: Seed) -> FileResponse:
        """A finished sample from the picture's side."""
        return _file(service, board.find(id), still_file(seed), "image/png")

    @app.get("/api/v1/jobs/{id}/meshes/{seed}", operation_id="job_mesh", response_class=Response)
    async def job_mesh(id: Id, seed: Seed) -> FileResponse:
        """A finished sample's mesh, in the job's format."""
        found = board.find(id)
        result = next((result for result in found.results if result.seed == seed), None)
        if result is None:
            raise _not_there()
        return _file(service, found, mesh_file(seed), result.media, result.file)


def _add_turntables(app: FastAPI, service: Service) -> None:
    board, line = service.board, service.line

    @app.get(
        "/api/v1/jobs/{id}/turntable/{seed}.{format}", operation_id="job_turntable", response_class=Response
    )
    async def job_turntable(request: Request, id: Id, seed: Seed, format: Turning) -> Response:
        """A finished sample turning: a film, or a sheet of eight pictures. Made when it is first asked for,
        which takes a turn as a mesh does.
        """
        found = board.find(id)
        made = turntable_file(seed, format)
        shape = board.store.path(found, shape_file(seed))
        if not shape.is_file():
            raise _not_there()
        if not board.store.path(found, made).is_file():
            ticket = line.admit(_address(request), shape.stat().st_size)
            try:
                async with line.turn(ticket) as number:
                    task = TurntableTask(shape.read_bytes(), format, str(shape.parent))
                    data = await service.crew.run(number, task, request.scope[REQUEST_ID])
            finally:
                line.release(ticket)
            await board.keep_file(found, made, data)
            return Response(data, media_type=TURNTABLES[format])
        return _file(service, found, made, TURNTABLES[format])


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _file(service: Service, job: Job, name: str, media: str, called: str | None = None) -> FileResponse:
    path = service.board.store.path(job, name)
    if not path.is_file():
        raise _not_there()
    return FileResponse(path, media_type=media, filename=called)


def _not_there() -> Refusal:
    return Refusal(404, "NotFound", "the job has no such file", "Ask the job for its results.")
