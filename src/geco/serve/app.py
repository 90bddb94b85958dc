"""The application: what stands around every route, the routes, and the errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from geco.serve import routes
from geco.serve.admission import Line
from geco.serve.board import Board
from geco.serve.crew import Crew
from geco.serve.describe import document
from geco.serve.errors import REQUEST_ID, Gone, Refusal, error_response
from geco.serve.events import Listeners
from geco.serve.fields import invalid
from geco.serve.form import FormRoute
from geco.serve.frame import GONE, Frame
from geco.serve.job_store import Store, store_for
from geco.serve.routes import Service
from geco.serve.security import Guard
from geco.serve.settings import Settings
from geco.serve.uploads import Uploads
from geco.version import __version__


def build(
    settings: Settings,
    crew: Crew,
    store: Store | None = None,
) -> FastAPI:
    """The application; see :func:`geco.serve.create_app`. A crew that has been started, and a store that is
    open, are left to whoever gave them to end.
    """
    metrics, started = crew.metrics, crew.ready
    line = Line(settings.traffic, metrics, len(crew.workers))
    line.cost = crew.cost
    board = Board(crew, line, settings.keeping, store or store_for(settings.keeping), metrics)
    listeners = Listeners(settings.keeping)
    metrics.gauges |= _gauges(board, listeners)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        if not started:
            await asyncio.to_thread(crew.start)
        await board.open()
        yield
        await board.close()
        await asyncio.to_thread(crew.stop)

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
    app.state.crew, app.state.line, app.state.metrics = crew, line, metrics
    # The last one added is the outermost.
    app.add_middleware(Uploads, settings=settings, line=line)
    app.add_middleware(Guard, access=settings.access)
    app.add_middleware(Frame, metrics=metrics, route_of=partial(_route_of, app))
    for kind, handler in (
        (Refusal, _refused),
        (HTTPException, _http_error),
        (RequestValidationError, _invalid),
        (Gone, _gone),
    ):
        app.add_exception_handler(kind, handler)
    routes.add(app, Service(crew, line, settings, metrics, board, listeners))
    app.openapi = partial(document, app, settings)  # type: ignore[method-assign]
    return app


def _gauges(board: Board, listeners: Listeners) -> dict[str, tuple[str, Callable[[], float]]]:
    line = board.line
    return {
        "geco_pending_requests": ("Requests uploading, waiting or being worked on.", lambda: line.pending),
        "geco_line_requests": ("Of them, those whose body has arrived.", lambda: line.in_line),
        "geco_request_seconds": ("Running mean of the seconds of work.", lambda: line.pace.mean),
        "geco_jobs_open": ("Jobs that wait or run.", lambda: len(board.runs)),
        "geco_jobs_kept": ("Jobs that are kept.", lambda: len(board.jobs)),
        "geco_jobs_bytes": ("Bytes of kept jobs.", lambda: board.store.held),
        "geco_listeners": ("Open streams of events.", lambda: listeners.count),
    }


def _route_of(app: FastAPI, scope: Scope) -> str:
    """The route that a request is counted for, by its pattern; no name of a client's own."""
    found = (route for route in app.routes if route.matches(scope)[0] is not Match.NONE)
    return getattr(next(found, None), "path", "other")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response(request.scope[REQUEST_ID])


def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=GONE)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        # of every route of the path, where the framework names those of the first one
        found = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
        allowed = {method for route in found for method in getattr(route, "methods", None) or ()}
        headers["Allow"] = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
    kind = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "HTTPError")
    return error_response(
        error.status_code, kind, str(error.detail), "See /openapi.json.", request.scope[REQUEST_ID], headers
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(error.errors()[0]).response(request.scope[REQUEST_ID])
