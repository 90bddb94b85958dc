"""Routes: a picture in, a mesh out, by one worker; every error of ours as JSON."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from geco.asset import Asset
from geco.errors import ConfigError, GecoError, InputImageError, MeshError, MissingExtraError, WeightsError
from geco.images import views_to_sheet
from geco.pipeline import GecoPipeline
from geco.serve.limits import BodyLimit
from geco.surface_to_asset import AssetOptions
from geco.version import __version__

# OBJ is three files (mesh, material, texture): sent as one archive.
MEDIA_TYPES = {
    "glb": "model/gltf-binary",
    "obj": "application/zip",
    "ply": "application/octet-stream",
    "stl": "model/stl",
    "usdz": "model/vnd.usdz+zip",
}
# The first type that an error is an instance of decides; any other error of ours is the server's (500).
STATUS: tuple[tuple[type[GecoError], int], ...] = (
    (InputImageError, 422),
    (MeshError, 422),
    (ConfigError, 422),
    (MissingExtraError, 501),
    (WeightsError, 503),
)
PAGE_HEADERS = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"}

Picture = Annotated[UploadFile, File(description="a picture of one object, with or without a background")]
Seed = Annotated[int, Form(description="of the noise, 0 to 4294967295")]
Faces = Annotated[int | None, Form(description="most faces of the mesh")]
TextureSize = Annotated[int | None, Form(description="side of the texture in texels")]
Truncation = Annotated[float | None, Form(description="how far seeds may differ, 0 to 1 the most; the model's own if left out")]
Format = Annotated[str, Form(description="glb, obj (zipped with its material and texture), ply, stl or usdz")]


class Worker:
    """The pipeline, for one request at a time: the others wait in order."""

    def __init__(self, pipeline: GecoPipeline, max_waiting: int) -> None:
        self.pipeline = pipeline
        self.pending = 0
        self._max_waiting = max_waiting
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the pipeline; 503 where too many wait already."""
        if self.pending > self._max_waiting:
            raise HTTPException(503, "too many requests are waiting", {"Retry-After": "5"})
        self.pending += 1
        try:
            async with self._lock:
                yield
        finally:
            self.pending -= 1

    async def run(
        self, picture: UploadFile, seed: int, faces: int | None, texture_size: int | None, truncation: float | None
    ) -> Asset:
        """One picture to one asset, off the event loop."""
        options = AssetOptions(faces=faces, texture_size=texture_size)
        data = await picture.read()
        async with self.turn():
            return await run_in_threadpool(self.pipeline, data, seed, options, truncation=truncation)


def build(pipeline: GecoPipeline, max_upload: int, max_waiting: int) -> FastAPI:
    """The application; see :func:`geco.serve.create_app`."""
    # The interactive documentation would load its scripts from another host.
    app = FastAPI(title="GECO", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, max_bytes=max_upload)
    app.add_exception_handler(GecoError, _own_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    worker = Worker(pipeline, max_waiting)

    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        """Alive, which model, and how many requests are being worked on or waiting."""
        return {"status": "ok", "model": pipeline.card.name, "version": __version__, "pending": worker.pending}

    @app.post("/api/v1/mesh", response_class=Response)
    async def mesh(
        picture: Picture,
        seed: Seed = 0,
        faces: Faces = None,
        texture_size: TextureSize = None,
        format: Format = "glb",
        truncation: Truncation = None,
    ) -> Response:
        """A mesh file; seed, model and timings are in the headers X-Geco-Seed, X-Geco-Model and X-Geco-Timings."""
        if format not in MEDIA_TYPES:
            raise ConfigError(f"unknown format {format!r}", f"Choose one of {', '.join(MEDIA_TYPES)}.")
        asset = await worker.run(picture, seed, faces, texture_size, truncation)
        name, data = await run_in_threadpool(encode, asset, format)
        headers = {
            "X-Geco-Seed": str(asset.seed),
            "X-Geco-Model": asset.model,
            "X-Geco-Timings": json.dumps({stage: round(seconds, 4) for stage, seconds in asset.timings.items()}),
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        return Response(data, media_type=MEDIA_TYPES[format], headers=headers)

    @app.post("/api/v1/preview")
    async def preview(
        picture: Picture, seed: Seed = 0, faces: Faces = None, texture_size: TextureSize = None, truncation: Truncation = None
    ) -> dict[str, Any]:
        """The GLB, the cut-out picture and the sheet of six views, in base64, for the page."""
        asset = await worker.run(picture, seed, faces, texture_size, truncation)
        return await run_in_threadpool(describe, asset)

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(_page_file("index.html"), media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)

    for script in ("page.js", "viewer.js"):
        app.add_api_route(f"/{script}", _script_route(script), include_in_schema=False)
    return app


def encode(asset: Asset, format: str) -> tuple[str, bytes]:
    """The asset's file name and bytes; formats of several files as a zip archive."""
    with tempfile.TemporaryDirectory(prefix="geco-") as folder:
        asset.save(Path(folder) / f"mesh.{format}")
        files = sorted(Path(folder).iterdir())
        if format != "obj":
            return files[0].name, files[0].read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return "mesh.zip", buffer.getvalue()


def describe(asset: Asset) -> dict[str, Any]:
    """What the page shows, as JSON."""
    return {
        "glb": base64.b64encode(encode(asset, "glb")[1]).decode(),
        "picture": _png(asset.picture),
        "views": _png(views_to_sheet(asset.views)),
        "seed": asset.seed,
        "model": asset.model,
        "faces": len(asset.mesh.faces),
        "timings": asset.timings,
    }


def _png(picture: Any) -> str:
    """(H, W, 3|4) float in [0, 1] -> PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(np.asarray(picture).clip(0, 1) * 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _page_file(name: str) -> bytes:
    return resources.files("geco.serve").joinpath("page", name).read_bytes()


def _script_route(name: str) -> Any:
    async def script() -> Response:
        return Response(_page_file(name), media_type="text/javascript; charset=utf-8")

    return script


def _error(status: int, kind: str, problem: str, remedy: str = "", headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "problem": problem, "remedy": remedy}}, status, headers)


def _own_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GecoError)
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    return _error(status, type(error).__name__, error.problem, error.remedy)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, "HTTPError", str(error.detail), headers=error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _error(422, "InvalidRequest", f"{first['loc'][-1]}: {first['msg']}", "See /openapi.json for the fields.")
