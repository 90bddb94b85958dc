"""An archive of meshes, sent as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from geco.serve.archive import Manifest, Pieces
from geco.serve.errors import Refusal
from geco.serve.jobs import Made, MeshTask
from geco.serve.routes.service import Service


@dataclass(frozen=True)
class Wanted:
    """One mesh of an archive.

    Attributes:
        picture: its name in the manifest.
        stem: what its files are called.
        seed: of the noise.
        task: gives the task, may raise a Refusal.
        told: what becomes of it is told to.
        made: where it is there already.
    """

    picture: str
    stem: str
    seed: int
    task: Callable[[], MeshTask]
    told: Callable[[Made], None] = lambda made: None
    made: Made | None = None


async def archive(
    service: Service, request: Request, meshes: Iterable[Wanted], manifest: Manifest
) -> AsyncIterator[bytes]:
    """The bytes of a zip archive: each mesh waits for its turn, so that others are served in between; what
    cannot be made is told in the manifest, which is the last file.

    Raises:
        Gone: the client has left.
    """
    pieces = Pieces()
    for each in meshes:
        try:
            task = await run_in_threadpool(each.task)
            made = each.made or await service.make(request, task)
        except Refusal as refusal:
            manifest.failed(each.picture, each.seed, refusal)
            continue
        files, data = await run_in_threadpool(pieces.add, each.stem, made)
        manifest.done(each.picture, made, files)
        each.told(made)
        yield data
    yield pieces.end(manifest)


class Streamed(Response):
    """An answer in pieces. A client that has left is noticed by who makes them: the work that has begun is
    finished, unlike with :class:`starlette.responses.StreamingResponse`, which would cut it.
    """

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, headers: dict[str, str]) -> None:
        super().__init__(None, media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
