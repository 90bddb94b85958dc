"""Refusing bodies that are too large before they fill memory or disk."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: 413 from the declared length, or as soon as an undeclared body has grown past the limit."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_bytes:
            body = {"error": {"type": "HTTPError", "problem": self._problem(), "remedy": "Reduce the picture first."}}
            await JSONResponse(body, 413, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, self._problem())
            return message

        await self.app(scope, counted, send)

    def _problem(self) -> str:
        return f"the request is larger than {self.max_bytes / 2**20:.0f} MiB"
