"""The page and its files."""

from __future__ import annotations

from functools import partial
from importlib import resources

from fastapi import FastAPI, Response

from geco.serve.routes.service import Service

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' "
    "'unsafe-inline'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
KINDS = {"index.html": "text/html", "page.js": "text/javascript", "viewer.js": "text/javascript"}


def add(app: FastAPI, service: Service) -> None:
    """``/`` and what the page loads."""
    for name, kind in KINDS.items():
        content = resources.files("geco.serve").joinpath("page", name).read_bytes()
        answer = partial(_file, content, f"{kind}; charset=utf-8")
        app.add_api_route("/" if kind == "text/html" else f"/{name}", answer, include_in_schema=False)


async def _file(content: bytes, kind: str) -> Response:
    return Response(content, headers={**PAGE_HEADERS, "Content-Type": kind, "Cache-Control": "no-cache"})
