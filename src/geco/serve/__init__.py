"""The REST interface and its one page; needs the extra ``web``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geco.cores import threads_of
from geco.errors import ConfigError, MissingExtraError
from geco.model_files.card import shown_name
from geco.serve.settings import Access, Keeping, Limits, Settings, Traffic

if TYPE_CHECKING:
    from fastapi import FastAPI

    from geco.pipeline import GecoPipeline

UNNAMED = "default"  # the model of a function

__all__ = ["Access", "Keeping", "Limits", "Settings", "Traffic", "create_app", "serve"]


Model = str | os.PathLike[str] | Callable[[], "GecoPipeline"]


def create_app(
    model: Model | Sequence[str | os.PathLike[str]] = "small",
    device: str | None = None,
    settings: Settings | None = None,
) -> FastAPI:
    """The web application, for any ASGI server; its start loads the model in a process of its own.

    What concerns connections (their number, the time for a request's head, the grace time) is only kept by
    :func:`serve`.

    Args:
        model: as for :meth:`geco.pipeline.GecoPipeline.from_pretrained`, or a picklable function that gives a
            pipeline. Several may be asked for by name, the first is the default; each worker has one of them
            loaded at a time.
        device: None chooses; for named models only.
        settings: limits, traffic, access; None takes the defaults.
    Raises:
        MissingExtraError: FastAPI or python-multipart is not installed. ConfigError: two models of one name.
    """
    _check_installed("fastapi", "python_multipart")
    from geco.serve.app import build
    from geco.serve.crew import Crew
    from geco.serve.metrics import Metrics

    loads, settings = _loads(model, device, settings or Settings())
    return build(settings, Crew(loads, settings.limits, Metrics(), settings.workers))


def serve(
    model: Model | Sequence[str | os.PathLike[str]] = "small",
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
        GecoError: a model cannot be loaded.
    """
    _check_installed("uvicorn", "fastapi", "python_multipart")
    from geco.serve.server import run

    loads, settings = _loads(model, device, settings or Settings())
    return run(loads, host, port, settings)


def _check_installed(*names: str) -> None:
    import importlib

    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingExtraError(error.name or name, "web", "the web server") from error


def _loads(
    model: Model | Sequence[str | os.PathLike[str]], device: str | None, settings: Settings
) -> tuple[dict[str, Callable[[], GecoPipeline]], Settings]:
    """How each model is loaded, by name, and the settings with these names."""
    if callable(model):
        return {UNNAMED: model}, replace(settings, models=(UNNAMED,))
    loads: dict[str, Callable[[], GecoPipeline]] = {}
    for each in [model] if isinstance(model, str | os.PathLike) else model:
        name = shown_name(Path(each)) if Path(each).is_dir() else os.fspath(each)
        if name in loads:
            raise ConfigError(f"two models are called {name}", "Rename one's folder: requests tell by it.")
        loads[name] = functools.partial(_load, os.fspath(each), device, settings)
    return loads, replace(settings, models=tuple(loads))


def _load(model: str, device: str | None, settings: Settings) -> GecoPipeline:
    """In the worker; raises what the settings ask of the model and it cannot do."""
    from geco.pipeline import GecoPipeline

    threads = threads_of(settings.workers) if settings.workers > 1 else None
    pipeline = GecoPipeline.from_pretrained(model, device, settings.limits.max_memory, threads)
    pipeline.at_once(sampling=pipeline.sampling(**settings.views.asked))
    return pipeline
