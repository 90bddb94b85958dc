"""Who may come in, in which order they are served, and when the others shall come back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from geco.serve.errors import Gone, Refusal
from geco.serve.metrics import Metrics
from geco.serve.pace import Pace
from geco.serve.settings import Traffic

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
        model: that it asks for, by its name.
        weight: how many times the work of one mesh is still to be done for it.
        left: set when the client has hung up or cancelled, or when the server stops before the request's
            turn.
        stopped: whether it was the server.
    """

    address: str
    size: int
    body: bytearray = field(default_factory=bytearray)
    model: str = ""
    weight: int = 1
    left: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: bool = False


class Line:
    """The places of a server, and the turns: as many at a time as there are workers, in order.

    Attributes:
        moved: called after somebody has left the line.
        cost: how little a free worker suits a request; of several, that of the lowest is taken.
    """

    def __init__(self, traffic: Traffic, metrics: Metrics, turns: int = 1) -> None:
        self.traffic, self.metrics, self.turns = traffic, metrics, turns
        self.tickets: set[Ticket] = set()
        self.pace = Pace()
        self.closing_since: float | None = None
        self.in_line = 0  # of the pending ones: those whose body has arrived
        self.moved: list[Callable[[], None]] = []
        self.cost: Callable[..., int] = _alike
        self._free = list(range(turns))
        self._waiting: dict[Ticket, asyncio.Future[int]] = {}

    @property
    def pending(self) -> int:
        """Requests inside: uploading, waiting or being worked on."""
        return len(self.tickets)

    @property
    def busy(self) -> bool:
        """Whether somebody has a turn."""
        return len(self._free) < self.turns

    def seconds(self, more: int = 0, model: str = "") -> float:
        """Until what is inside, and so many meshes more of a model, is done, by the measured seconds."""
        inside = sum(ticket.weight * self.pace.of(ticket.model) for ticket in self.tickets)
        return (inside + more * self.pace.of(model)) / self.turns

    def retry_after(self) -> int:
        """Whole seconds until what is inside is done; at least those of one mesh, and at least 1."""
        return max(1, math.ceil(max(self.seconds(), self.pace.mean)))

    def position(self, ticket: Ticket) -> int | None:
        """Of one that waits for its turn, 1 being the next; else None."""
        for place, waiting in enumerate(self._waiting):
            if waiting is ticket:
                return place + 1
        return None

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
        problem = ""
        if self.pending >= places or self._is_too_much(1):
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

    def stay(self, ticket: Ticket, weight: int, model: str = "") -> Ticket:
        """A place for work that goes on when the request that asked for it is over: in that one's place.

        Args:
            weight: how many times the work of one mesh it is.

        Raises:
            Refusal: 503, it is too much beside what is inside; the request keeps its place.
        """
        if self.closing_since is not None:
            raise stopping()
        self.tickets.discard(ticket)
        if self._is_too_much(weight, model):
            self.tickets.add(ticket)
            after = max(1, math.ceil(self.seconds(-ticket.weight)))
            problem = "too much work is waiting for so many samples"
            raise Refusal(503, "Busy", problem, "Try again later, or ask for fewer.", retry_after=after)
        staying = Ticket(ticket.address, ticket.size, model=model, weight=weight)
        self.tickets.add(staying)
        return staying

    def _is_too_much(self, weight: int, model: str = "") -> bool:
        """Whether a stop would not leave time for it; whoever is alone may ask for anything."""
        return bool(self.tickets) and self.seconds(weight, model) > self.traffic.grace * ADMITTED_SHARE

    def release(self, ticket: Ticket) -> None:
        """Give the place back."""
        self.tickets.discard(ticket)

    @contextlib.asynccontextmanager
    async def turn(self, ticket: Ticket) -> AsyncIterator[int]:
        """Wait in order; the body of the ``with`` has the worker of the given number for itself, and its
        seconds are measured.

        Raises:
            Gone: the client left before its turn. Refusal: the server stopped before it.
        """
        since = time.monotonic()
        self.in_line += 1
        try:
            worker = await self._acquire(ticket)
        except BaseException:
            self.in_line -= 1
            raise
        began, weight = time.monotonic(), ticket.weight
        self.metrics.wait.observe(began - since)
        try:
            yield worker
        finally:
            seconds = time.monotonic() - began
            self.metrics.work.observe(seconds)
            self.pace.learn(ticket.model, seconds / weight)
            self.in_line -= 1
            self._give_back(worker)

    async def _acquire(self, ticket: Ticket) -> int:
        mine: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = mine
        self._hand_out()
        left = asyncio.ensure_future(ticket.left.wait())
        either: set[asyncio.Future[Any]] = {mine, left}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._give_up(ticket, mine)
            raise
        finally:
            left.cancel()
        if ticket.left.is_set():
            self._give_up(ticket, mine)
            if ticket.stopped:
                raise stopping()
            self.metrics.dropped += 1
            raise Gone
        return mine.result()

    def _hand_out(self) -> None:
        """Free workers to those who wait, in order."""
        while self._free and self._waiting:
            ticket = next(iter(self._waiting))
            worker = min(self._free, key=partial(self.cost, ticket=ticket))
            self._free.remove(worker)
            self._waiting.pop(ticket).set_result(worker)
        for tell in self.moved:
            tell()

    def _give_back(self, worker: int) -> None:
        self._free.append(worker)
        self._hand_out()

    def _give_up(self, ticket: Ticket, mine: asyncio.Future[int]) -> None:
        self._waiting.pop(ticket, None)
        if mine.done() and not mine.cancelled():
            self._free.append(mine.result())
        self._hand_out()

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


def _alike(worker: int, ticket: Ticket) -> int:
    return 0


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
