"""Bodies: admitted before they are read, bounded in size, time and rate, and read into memory,
never into a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geco.serve.admission import Line, Ticket
from geco.serve.errors import Gone, Refusal
from geco.serve.settings import Settings

TICKET = "geco.ticket"  # of the scope: the admitted request
RATE_FROM = 5.0  # seconds after which a body must keep up the rate
# Routes that take a picture in base64, which is a third larger, and some words beside it.
ENCODED = frozenset({"/generate", "/send"})
WORDS = 4096
TICK = 0.5  # seconds between two looks at the clock while nothing arrives


class Uploads:
    """ASGI middleware: a POST comes in with its whole body, or not at all.

    Until then, and while the request waits, a client that hangs up is noticed: ``Ticket.left``.
    """

    def __init__(self, app: ASGIApp, settings: Settings, line: Line) -> None:
        self.app, self.settings, self.line = app, settings, line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        ticket = self.line.admit((scope.get("client") or ("unknown", 0))[0], self._declared(scope))
        try:
            await self._read(ticket, receive, self._most(scope))
            ticket.size = len(ticket.body)
            async with _watched(ticket, receive):
                await self.app({**scope, TICKET: ticket}, _nothing_more(ticket), send)
        finally:
            self.line.release(ticket)

    def _declared(self, scope: Scope) -> int:
        """Bytes of the body as its head says; the most that is allowed where it does not."""
        most = self._most(scope)
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if not declared.isdigit():
            return most
        if len(declared) > 18 or int(declared) > most:
            raise self._too_large()
        return int(declared)

    def _most(self, scope: Scope) -> int:
        """Bytes that a body may have."""
        upload = self.settings.limits.upload
        return upload * 4 // 3 + WORDS if scope["path"] in ENCODED else upload

    def _too_large(self) -> Refusal:
        problem = (
            f"the request is larger than this server's limit of {self.settings.limits.upload / 2**20:g} MiB"
        )
        return Refusal(413, "TooLarge", problem, "Reduce the picture first.")

    async def _read(self, ticket: Ticket, receive: Receive, most: int) -> None:
        began = time.monotonic()
        more = True
        next_message: asyncio.Task[Message] | None = None
        try:
            while more:
                if next_message is None:
                    next_message = asyncio.ensure_future(receive())  # type: ignore[arg-type]
                await asyncio.wait({next_message}, timeout=TICK)
                self._check_time(ticket, began)
                if not next_message.done():
                    continue
                message, next_message = next_message.result(), None
                if message["type"] == "http.disconnect":
                    raise Gone
                ticket.body += message.get("body", b"")
                if len(ticket.body) > most:
                    raise self._too_large()
                more = message.get("more_body", False)
        finally:
            if next_message is not None:
                next_message.cancel()

    def _check_time(self, ticket: Ticket, began: float) -> None:
        traffic = self.settings.traffic
        now = time.monotonic()
        seconds = now - began
        if now > self.line.uploads_end():
            raise Refusal(
                408, "UploadTime", "the server stops, and the body had not arrived", "Try again later."
            )
        if seconds > traffic.upload_seconds:
            raise Refusal(
                408,
                "UploadTime",
                f"the body did not arrive within {traffic.upload_seconds:g} s",
                "Send less.",
            )
        if seconds > RATE_FROM and len(ticket.body) < (seconds - RATE_FROM) * traffic.upload_rate:
            problem = f"the body arrives slower than {traffic.upload_rate / 1024:g} KiB a second"
            raise Refusal(408, "UploadTime", problem, "Send a smaller picture, or over a better line.")


@contextlib.asynccontextmanager
async def _watched(ticket: Ticket, receive: Receive) -> AsyncIterator[None]:
    """Note in the ticket when the client hangs up."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        ticket.left.set()

    task = asyncio.ensure_future(watch())
    try:
        yield
    finally:
        task.cancel()


def _nothing_more(ticket: Ticket) -> Receive:
    """What the application receives: the body is in the ticket already."""

    async def receive() -> Message:
        await ticket.left.wait()
        return {"type": "http.disconnect"}

    return receive
