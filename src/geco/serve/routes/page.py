"""The page and its files."""

from collections.abc import Sequence
from functools import partial

from fastapi import FastAPI, Request, Response

from geco.serve.page_files import ENTRANCE, PageFile, page_files
from geco.serve.routes.service import Service


def add(app: FastAPI, service: Service) -> None:
    """``/`` and what the page loads."""
    for path, file in page_files().items():
        answer = partial(_file, file, service.settings.access.frames)
        app.add_api_route("/" if path == ENTRANCE else f"/{path}", answer, include_in_schema=False)


async def _file(file: PageFile, frames: Sequence[str], request: Request) -> Response:
    asked = request.headers
    accepted, known = asked.get("accept-encoding", ""), asked.get("if-none-match", "")
    status, headers, body = file.answer(accepted, known, frames)
    return Response(body, status, headers)
