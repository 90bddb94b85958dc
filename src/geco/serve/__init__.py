"""The REST interface and its one page; needs the extra ``web``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geco.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from geco.pipeline import GecoPipeline

MAX_UPLOAD = 32 * 2**20  # bytes: a 64 megapixel JPEG fits
MAX_WAITING = 16  # requests that wait for the one worker; the next ones are told to come back


def create_app(pipeline: GecoPipeline, max_upload: int = MAX_UPLOAD, max_waiting: int = MAX_WAITING) -> FastAPI:
    """The web application around a loaded pipeline.

    Args:
        pipeline: used by one request at a time.
        max_upload: bytes of a request's body; more is refused with 413 without being read.
        max_waiting: requests that may wait; more are refused with 503.
    Raises:
        MissingExtraError: FastAPI or python-multipart is not installed.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "web", "the web server") from error
    from geco.serve.app import build

    return build(pipeline, max_upload, max_waiting)


def serve(pipeline: GecoPipeline, host: str = "127.0.0.1", port: int = 8000, max_upload: int = MAX_UPLOAD) -> None:
    """Serve until interrupted.

    Args:
        pipeline: a loaded model.
        host: the address to listen on; the default is this machine only. There is no authentication: put a proxy before it.
        port: the port to listen on.
        max_upload: bytes of a request's body.
    Raises:
        MissingExtraError: uvicorn or FastAPI is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "web", "the web server") from error
    uvicorn.run(create_app(pipeline, max_upload), host=host, port=port, log_level="info")
