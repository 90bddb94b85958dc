"""Who may come in, in which order they are served, and when the others shall come back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from geco.serve.errors import Gone, Refusal
from geco.serve.metrics import Metrics
from geco.serve.settings import Traffic

FIRST_GUESS = 1.0  # seconds of a request, before any was measured: the embedded model on two cores
# Share of a new measurement in the running mean: it rises fast and falls slowly, so that many quick refusals
# between two long works do not make the server promise, or admit, too much.
RISING, FALLING = 0.5, 0.05
# Shares of the grace time: bodies must have arrived, work must be done, connections must be closed.
UPLOADS_END, WORK_ENDS, CONNECTIONS_END = 0.35, 0.8, 0.9
ADMITTED_SHARE = 0.7  # of the grace time: the work that may be waiting, so that a stop finds time to do it


@dataclass(eq=False)
class Ticket:
    """One admitted request.

    Attributes:
        address: of the client.
        size: bytes of its body in memory, as declared until it has arrived.
        body: what has arrived.
        left: set when the client has hung up, or when the server stops before the request's turn.
        stopped: which of the two.
    """

    address: str
    size: int
    body: bytearray = field(default_factory=bytearray)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: bool = False


class Line:
    """The places of a server, and the one turn."""

    def __init__(self, traffic: Traffic, metrics: Metrics) -> None:
        self.traffic, self.metrics = traffic, metrics
        self.tickets: set[Ticket] = set()
        self.mean_seconds = FIRST_GUESS
        self.closing_since: float | None = None
        self.in_line = 0  # of the pending ones: those whose body has arrived
        self._turn = asyncio.Lock()

    @property
    def pending(self) -> int:
        """Requests inside: uploading, waiting or being worked on."""
        return len(self.tickets)

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        return self._turn.locked()

    def retry_after(self) -> int:
        """Whole seconds until what is inside is done, by the measured seconds of a request; at least 1."""
        return max(1, math.ceil(self.mean_seconds * max(self.pending, 1)))

    def admit(self, address: str, size: int) -> Ticket:
        """A place, before the body is read.

        Raises:
            Refusal: 503, no place is free.
        """
        if self.closing_since is not None:
            raise stopping()
        places = self.traffic.waiting + 1
        same = sum(ticket.address == address for ticket in self.tickets)
        held = sum(ticket.size for ticket in self.tickets)
        work = self.mean_seconds * (self.pending + 1)
        problem = ""
        if self.pending >= places or (self.pending and work > self.traffic.grace * ADMITTED_SHARE):
            problem = "too many requests are waiting"
        elif same >= max(1, places // 2):
            problem = "too many requests of this address are waiting"
        elif self.pending and held + size > self.traffic.held:
            problem = "too many bytes are waiting"
        if problem:
            raise Refusal(503, "Busy", problem, "Try again later.", retry_after=self.retry_after())
        ticket = Ticket(address, size)
        self.tickets.add(ticket)
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Give the place back."""
        self.tickets.discard(ticket)

    @contextlib.asynccontextmanager
    async def turn(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait in order; the body of the ``with`` has the worker for itself, and its seconds are measured.

        Raises:
            Gone: the client left before its turn. Refusal: the server stopped before it.
        """
        since = time.monotonic()
        self.in_line += 1
        try:
            await self._acquire(ticket)
        except BaseException:
            self.in_line -= 1
            raise
        began = time.monotonic()
        self.metrics.wait.observe(began - since)
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            self.metrics.work.observe(seconds)
            self.mean_seconds += (RISING if seconds > self.mean_seconds else FALLING) * (
                seconds - self.mean_seconds
            )
            self.in_line -= 1
            self._turn.release()

    async def _acquire(self, ticket: Ticket) -> None:
        mine = asyncio.ensure_future(self._turn.acquire())
        left = asyncio.ensure_future(ticket.left.wait())
        try:
            await asyncio.wait({mine, left}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._give_up(mine)
            raise
        finally:
            left.cancel()
        if ticket.left.is_set():
            self._give_up(mine)
            if ticket.stopped:
                raise stopping()
            self.metrics.dropped += 1
            raise Gone

    def _give_up(self, mine: asyncio.Future[Any]) -> None:
        if mine.done() and not mine.cancelled():
            self._turn.release()
        mine.cancel()

    def close(self) -> None:
        """The server stops: nobody comes in any more; whoever has had no turn in time is told so. Once."""
        if self.closing_since is not None:
            return
        self.closing_since = time.monotonic()
        asyncio.get_running_loop().call_later(self.traffic.grace * WORK_ENDS, self._send_away)

    def uploads_end(self) -> float:
        """When bodies must have arrived, because the server stops (monotonic seconds)."""
        if self.closing_since is None:
            return math.inf
        return self.closing_since + self.traffic.grace * UPLOADS_END

    def _send_away(self) -> None:
        for ticket in self.tickets:
            ticket.stopped = True
            ticket.left.set()


def stopping() -> Refusal:
    """The server is on its way out."""
    return Refusal(
        503,
        "Stopping",
        "the server is stopping",
        "Try again later.",
        retry_after=10,
        headers={"Connection": "close"},
    )
