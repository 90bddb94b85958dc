"""The REST interface and its one page; needs the extra ``web``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from geco.errors import MissingExtraError
from geco.serve.settings import Access, Keeping, Limits, Settings, Traffic

if TYPE_CHECKING:
    from fastapi import FastAPI

    from geco.pipeline import GecoPipeline

__all__ = ["Access", "Keeping", "Limits", "Settings", "Traffic", "create_app", "serve"]


def create_app(
    model: str | os.PathLike[str] | Callable[[], GecoPipeline] = "small",
    device: str | None = None,
    settings: Settings | None = None,
) -> FastAPI:
    """The web application, for any ASGI server; its start loads the model in a process of its own.

    What concerns connections (their number, the time for a request's head, the grace time) is only kept by
    :func:`serve`.

    Args:
        model: as for :meth:`geco.pipeline.GecoPipeline.from_pretrained`, or a picklable function that gives a
            pipeline.
        device: None chooses; for a named model only.
        settings: limits, traffic, access; None takes the defaults.
    Raises:
        MissingExtraError: FastAPI or python-multipart is not installed.
    """
    _check_installed("fastapi", "python_multipart")
    from geco.serve.app import build

    settings = settings or Settings()
    return build(_loader(model, device, settings), settings)


def serve(
    model: str | os.PathLike[str] | Callable[[], GecoPipeline] = "small",
    host: str = "127.0.0.1",
    port: int = 8000,
    device: str | None = None,
    settings: Settings | None = None,
) -> int | None:
    """Serve until SIGINT or SIGTERM, whose number is returned. Blocks; call it in the main thread.

    Args:
        model, device, settings: as for :func:`create_app`.
        host: the address to listen on; the default is this machine only.
        port: the port; 0 is any that is free.
    Raises:
        MissingExtraError: uvicorn, FastAPI or python-multipart is not installed.
        ConfigError: the address cannot be listened on.
        GecoError: the model cannot be loaded.
    """
    _check_installed("uvicorn", "fastapi", "python_multipart")
    from geco.serve.server import run

    settings = settings or Settings()
    return run(_loader(model, device, settings), host, port, settings)


def _check_installed(*names: str) -> None:
    import importlib

    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingExtraError(error.name or name, "web", "the web server") from error


def _loader(
    model: str | os.PathLike[str] | Callable[[], GecoPipeline], device: str | None, settings: Settings
) -> Callable[[], GecoPipeline]:
    if callable(model):
        return model
    return functools.partial(_load, os.fspath(model), device, settings)


def _load(model: str, device: str | None, settings: Settings) -> GecoPipeline:
    """In the worker; raises what the settings ask of the model and it cannot do."""
    from geco.pipeline import GecoPipeline

    pipeline = GecoPipeline.from_pretrained(model, device, settings.limits.max_memory)
    pipeline.at_once(sampling=pipeline.sampling(**settings.views.asked))
    return pipeline
