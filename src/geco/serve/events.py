"""Server-sent events of a job (WHATWG HTML, 9.2): named, numbered, taken up where a listener lost them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from geco.serve.board import Board
from geco.serve.errors import Refusal
from geco.serve.job import Job
from geco.serve.settings import Keeping

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the second is nginx's
MEDIA_TYPE = "text/event-stream"
RETRY = 3000  # milliseconds after which a browser's EventSource comes again
BUSY_SECONDS = 5  # after which a listener that found no place may try again


class Listeners:
    """How many listen, and from where."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self.counts: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """All of them."""
        return self.counts.total()

    def enter(self, address: str) -> Callable[[], None]:
        """Take one of the places; what gives it back. Raises Refusal: 503, there is none."""
        most = self.keeping.listeners
        if self.count >= most or self.counts[address] >= max(1, most // 2):
            remedy = "Ask for the job itself now and then (GET /api/v1/jobs/ID)."
            raise Refusal(503, "Busy", "too many streams of events are open", remedy, BUSY_SECONDS)
        self.counts[address] += 1

        def leave() -> None:
            self.counts[address] -= 1
            if not self.counts[address]:
                del self.counts[address]

        return leave


class EventsResponse(StreamingResponse):
    """A stream that gives its place back when it ends, also where it never began."""

    def __init__(self, content: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(content, headers=HEADERS, media_type=MEDIA_TYPE)
        self.leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As every response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.leave()


async def stream(board: Board, job: Job, last: int) -> AsyncIterator[bytes]:
    """What has happened after the event ``last``, and what happens until the job's end.

    Each event holds the whole job as it is when the event is sent, so nothing is lost by an event missed.
    """
    yield f"retry: {RETRY}\n\n".encode()
    while True:
        news = job.news
        for number, name in [event for event in job.log if event[0] > last]:
            data = json.dumps(board.shown(job), allow_nan=False)
            yield f"event: {name}\nid: {number}\ndata: {data}\n\n".encode()
            last = number
        if not job.is_open:
            return
        try:
            await asyncio.wait_for(news.wait(), board.keeping.heartbeat)
        except asyncio.TimeoutError:  # before Python 3.11 another one than TimeoutError
            yield b": nothing new\n\n"
