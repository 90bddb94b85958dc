"""The page and its files."""

from __future__ import annotations

from functools import partial
from importlib import resources

from fastapi import FastAPI, Response

from geco.serve.routes.service import Service

POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors"
KINDS = {"index.html": "text/html", "page.js": "text/javascript", "viewer.js": "text/javascript"}


def add(app: FastAPI, service: Service) -> None:
    """``/`` and what the page loads."""
    headers = page_headers(service.settings.access.frames)
    for name, kind in KINDS.items():
        content = resources.files("geco.serve").joinpath("page", name).read_bytes()
        answer = partial(_file, content, {**headers, "Content-Type": f"{kind}; charset=utf-8"})
        app.add_api_route("/" if kind == "text/html" else f"/{name}", answer, include_in_schema=False)


def page_headers(frames: tuple[str, ...]) -> dict[str, str]:
    """Of every file of the page; ``frames`` are the sites that may show it in a frame, else none may."""
    return {
        "Content-Security-Policy": " ".join((POLICY, *(frames or ("'none'",)))),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


async def _file(content: bytes, headers: dict[str, str]) -> Response:
    return Response(content, headers=headers)
