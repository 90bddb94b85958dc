"""Connections: how many, how many of one address, and how long each may take to say or to hear something."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from geco.serve.metrics import Metrics
from geco.serve.settings import Traffic

if TYPE_CHECKING:
    from geco.serve.server import Config

TICK = 1.0  # seconds between two looks at a connection
AHEAD = 65_536  # bytes that a client may send beyond its request while it is worked on


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, which has no time limit for a request's head, nor for a client that
    does not read its answer.
    """

    traffic: Traffic
    metrics: Metrics

    def __init__(self, config: Config, *more: Any, **named: Any) -> None:
        super().__init__(config, *more, **named)
        self.traffic, self.metrics, self.proxies = config.traffic, config.metrics, config.proxies
        self._refused = False
        self._free_since = self._full_since = self.loop.time()
        self._most_unread = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse what is too much; watch the others."""
        super().connection_made(transport)
        self._free_since = self.loop.time()
        self._watch = self.loop.call_later(TICK, self._look)
        address = self.address
        same = sum(isinstance(other, Protocol) and other.address == address for other in self.connections)
        crowded = same > self.traffic.per_address and address not in self.proxies
        if len(self.connections) > self.traffic.connections or crowded:
            self._refused = True
            self.metrics.refused_connections += 1
            # without a word: whoever holds hundreds of connections reads none, and words cost memory
            transport.abort()

    @property
    def address(self) -> str:
        """Of the client, without its port."""
        return self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn, but never deaf to a client that hangs up after it has sent more than its request."""
        if self._refused:
            return
        super().data_received(data)
        if self._busy() and not self.cycle.more_body and not self.transport.is_closing():
            if len(self.conn.trailing_data[0]) > AHEAD:
                self.transport.abort()
            else:
                self.flow.resume_reading()

    def on_response_complete(self) -> None:
        """The time for the next head starts; and for the rest of a body that was refused, which
        is thrown away.
        """
        self._free_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered in the form of every other error."""
        if self._busy() and self.cycle.response_started:
            self.transport.abort()
            return
        self.transport.write(_bad_request(msg.rstrip(".")))
        self.transport.close()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _look(self) -> None:
        """Cut a connection whose time is up."""
        now, traffic = self.loop.time(), self.traffic
        self._watch = self.loop.call_later(TICK, self._look)
        unread = cast(asyncio.WriteTransport, self.transport).get_write_buffer_size()
        if not unread:
            self._full_since, self._most_unread = now, 0
        self._most_unread = max(self._most_unread, unread)
        allowed = traffic.answer_seconds + self._most_unread / max(traffic.upload_rate, 1)
        if unread and now - self._full_since > allowed:
            self.transport.abort()
        elif not unread and not self._busy() and now - self._free_since > traffic.head_seconds:
            self.transport.abort() if self.transport.is_closing() else self.transport.close()


def _bad_request(problem: str) -> bytes:
    """A whole answer, where there is no request that a framework could answer."""
    body = json.dumps(
        {"error": {"type": "BadRequest", "problem": problem, "remedy": "Speak HTTP/1.1.", "request_id": ""}}
    )
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()
