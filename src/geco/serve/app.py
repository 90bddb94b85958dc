"""Routes: a picture in, a mesh out; the page; and what the operator asks. (Why no postponed
annotations: see fields.py.)
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from geco.serve.admission import Line, stopping
from geco.serve.describe import document
from geco.serve.errors import REQUEST_ID, Gone, Refusal, error_response
from geco.serve.fields import OPTIONS, FormatField, task_of
from geco.serve.form import FormRoute
from geco.serve.frame import GONE, Frame
from geco.serve.jobs import MEDIA_TYPES, PREVIEW, Made, MeshTask
from geco.serve.metrics import MEDIA_TYPE, Metrics
from geco.serve.security import Guard
from geco.serve.settings import Settings
from geco.serve.uploads import TICKET, Uploads
from geco.serve.worker import Worker, unavailable
from geco.version import __version__

if TYPE_CHECKING:
    from geco.pipeline import GecoPipeline

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' "
    "'unsafe-inline'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
ROUTES = (
    "/",
    "/page.js",
    "/viewer.js",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/mesh",
    "/api/v1/preview",
)


def build(load: Callable[[], "GecoPipeline"], settings: Settings, worker: Worker | None = None) -> FastAPI:
    """The application; see :func:`geco.serve.create_app`. A worker that is given has been started already."""
    metrics = worker.metrics if worker is not None else Metrics()
    own = worker or Worker(load, settings.limits, metrics)
    line = Line(settings.traffic, metrics)
    metrics.gauges |= {
        "geco_pending_requests": ("Requests uploading, waiting or being worked on.", lambda: line.pending),
        "geco_line_requests": ("Of them, those whose body has arrived.", lambda: line.in_line),
        "geco_request_seconds": ("Running mean of the seconds of work.", lambda: line.mean_seconds),
        "geco_worker_ready": ("1 where the model is loaded.", lambda: own.ready),
    }

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        if worker is None:
            await asyncio.to_thread(own.start)
        yield
        await asyncio.to_thread(own.stop)

    # The interactive documentation would load its scripts from another host.
    app = FastAPI(
        title="GECO",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.router.route_class = FormRoute
    app.state.worker, app.state.line, app.state.metrics = own, line, metrics
    # The last one added is the outermost.
    app.add_middleware(Uploads, settings=settings, line=line)
    app.add_middleware(Guard, access=settings.access)
    app.add_middleware(Frame, metrics=metrics, routes=frozenset(ROUTES))
    for kind, handler in (
        (Refusal, _refused),
        (HTTPException, _http_error),
        (RequestValidationError, _invalid),
        (Gone, _gone),
    ):
        app.add_exception_handler(kind, handler)
    _add_api(app, own, line, settings)
    _add_operation(app, own, line, metrics)
    _add_page(app)
    app.openapi = partial(document, app, settings)  # type: ignore[method-assign]
    return app


def _add_api(app: FastAPI, worker: Worker, line: Line, settings: Settings) -> None:
    Asked = Annotated[MeshTask, Depends(task_of(settings))]

    async def make(request: Request, task: MeshTask) -> Made:
        async with line.turn(request.scope[TICKET]):
            return await worker.run(task, request.scope[REQUEST_ID])

    @app.post("/api/v1/mesh", response_class=Response)
    async def mesh(
        request: Request,
        task: Asked,
        format: FormatField = "glb",
    ) -> Response:
        """A mesh file. Seed, model, timings and facts are in the headers X-Geco-Seed, -Model,
        -Timings and -Facts.
        """
        made = await make(request, _with_format(task, format))
        headers = {
            "X-Geco-Seed": str(made.seed),
            "X-Geco-Model": quote(made.model, safe=""),
            "X-Geco-Timings": json.dumps(
                {stage: round(seconds, 4) for stage, seconds in made.timings.items()}
            ),
            "X-Geco-Facts": made.facts,
            "Content-Disposition": f'attachment; filename="{made.name}"',
        }
        return Response(made.body, media_type=MEDIA_TYPES[format], headers=headers)

    @app.post("/api/v1/preview", response_class=Response)
    async def preview(request: Request, task: Asked) -> Response:
        """What the page shows, as JSON: the GLB, the cut-out picture and the sheet of six views
        in base64, and facts.
        """
        made = await make(request, _with_format(task, PREVIEW))
        return Response(made.body, media_type="application/json")


def _add_operation(app: FastAPI, worker: Worker, line: Line, metrics: Metrics) -> None:
    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        """The server is alive; which model it has, and how many requests are inside."""
        return {
            "status": "ok",
            "model": worker.model.get("model"),
            "version": __version__,
            "pending": line.pending,
        }

    @app.get("/readyz")
    async def ready() -> dict[str, Any]:
        """The model is loaded and the server is not stopping: 200; else 503."""
        if line.closing_since is not None:
            raise stopping()
        if not worker.ready:
            raise unavailable()
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def counts() -> Response:
        """Counts in the text format of Prometheus."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)


def _add_page(app: FastAPI) -> None:
    kinds = {"index.html": "text/html", "page.js": "text/javascript", "viewer.js": "text/javascript"}
    for name, kind in kinds.items():
        content = resources.files("geco.serve").joinpath("page", name).read_bytes()
        answer = partial(_file, content, f"{kind}; charset=utf-8")
        app.add_api_route("/" if kind == "text/html" else f"/{name}", answer, include_in_schema=False)


async def _file(content: bytes, kind: str) -> Response:
    return Response(content, headers={**PAGE_HEADERS, "Content-Type": kind, "Cache-Control": "no-cache"})


def _with_format(task: MeshTask, format: str) -> MeshTask:
    return replace(task, format=format)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response(request.scope[REQUEST_ID])


def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=GONE)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        allowed = set(headers["Allow"].split(", "))
        headers["Allow"] = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
    kind = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "HTTPError")
    return error_response(
        error.status_code, kind, str(error.detail), "See /openapi.json.", request.scope[REQUEST_ID], headers
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    remedy = "See /openapi.json for the fields and their ranges."
    if first["type"] == "less_than_equal" and name in OPTIONS:
        remedy = f"Ask for less; the limit is this server's ({OPTIONS[name]})."
    return error_response(422, "InvalidRequest", f"{name}: {first['msg']}", remedy, request.scope[REQUEST_ID])
