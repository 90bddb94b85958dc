"""Many pictures in one archive, their meshes in another. (Why no postponed annotations: see fields.py.)"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response, UploadFile
from starlette.concurrency import run_in_threadpool

from geco.serve.archive import Manifest, Pictures, wanted
from geco.serve.fields import FormatField, batch_of, named, samples_of
from geco.serve.jobs import MeshTask
from geco.serve.routes.service import Service
from geco.serve.routes.streamed import Streamed, Wanted, archive


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/batch``."""
    limits = service.settings.limits
    Asked = Annotated[tuple[UploadFile, MeshTask], Depends(batch_of(service.settings))]
    Seeds = Annotated[range, Depends(samples_of(limits))]

    @app.post("/api/v1/batch", operation_id="batch", response_class=Response)
    async def batch(request: Request, asked: Asked, seeds: Seeds, format: FormatField = "glb") -> Response:
        """A zip archive with the meshes of the pictures in another, sent as they come; its last file,
        manifest.json, says what became of every picture. Between two meshes others have their turn.
        """
        file, task = asked
        pictures = await run_in_threadpool(Pictures, file.file, limits)
        manifest = Manifest(skipped=pictures.skipped)
        meshes = _meshes(pictures, replace(task, format=format), seeds)
        headers = {"Content-Disposition": 'attachment; filename="meshes.zip"'}
        return Streamed(archive(service, request, meshes, manifest), "application/zip", headers)


def _meshes(pictures: Pictures, task: MeshTask, seeds: range) -> Iterator[Wanted]:
    for name, seed, stem in wanted(pictures.names, seeds):
        own = replace(named(task, PurePosixPath(name).name), seed=seed)
        yield Wanted(name, stem, seed, partial(_task, pictures, name, own), pictures.count)


def _task(pictures: Pictures, name: str, task: MeshTask) -> MeshTask:
    return replace(task, picture=pictures.read(name))
