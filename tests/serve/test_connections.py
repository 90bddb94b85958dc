"""Connections of the server itself, without a model: times and numbers, and clients that do not read."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from geco.serve import Limits, Settings, Traffic
from geco.serve.app import build
from geco.serve.crew import Crew
from geco.serve.metrics import Metrics
from geco.serve.server import Config, Server, listen
from tests.serve import misbehave
from tests.serve.live import answer

TRAFFIC = Traffic(
    head_seconds=1.0, idle_seconds=1.0, answer_seconds=1.0, upload_rate=10_000_000, connections=20, grace=5
)


class Served:
    """A server in a thread; its worker was never started."""

    def __init__(self, settings: Settings, proxies: tuple[str, ...] = ()) -> None:
        self.metrics = Metrics()
        app = build(settings, Crew({"small": misbehave.load}, settings.limits, self.metrics))

        @app.get("/large")
        async def large() -> Any:
            return Response(bytes(64 << 20))

        @app.get("/who")
        async def who(request: Request) -> Any:
            return PlainTextResponse(request.client.host if request.client else "")

        self.sockets = listen("127.0.0.1", 0)
        self.port = self.sockets[0].getsockname()[1]
        self.server = Server(Config(app, settings.traffic, self.metrics, proxies), app.state.line)
        self.thread = threading.Thread(
            target=asyncio.run, args=(self.server.serve(self.sockets),), daemon=True
        )
        self.thread.start()

    def connect(self, data: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        made.sendall(data)
        return made


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    made = Served(Settings(Limits(upload=1 << 20), TRAFFIC))
    yield made
    made.server.should_exit = True
    made.thread.join(10)
    assert not made.thread.is_alive()


def request(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


def test_an_idle_connection_may_be_used_again_for_a_while(served: Served) -> None:
    with served.connect() as made:
        for _ in range(3):
            made.sendall(request("/healthz"))
            assert answer(made)[0] == 200
            time.sleep(0.5)
        began = time.monotonic()
        assert made.recv(10) == b""
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "head", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000]
)
def test_a_head_that_does_not_end_is_cut(served: Served, head: bytes) -> None:
    with served.connect(head) as made:
        began = time.monotonic()
        while time.monotonic() - began < 10:
            try:
                made.sendall(b"y")
                made.settimeout(0.2)
                if made.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert 0.5 < time.monotonic() - began < 6


def test_who_does_not_read_its_answer_is_cut(served: Served) -> None:
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", served.port))
        made.sendall(request("/large"))
        deadline = time.monotonic() + 30
        while served.server.server_state.connections:
            assert time.monotonic() < deadline, "it is still held"
            time.sleep(0.2)


def test_a_refused_body_is_thrown_away_for_a_while_so_that_its_client_hears_why(served: Served) -> None:
    head = b"POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with served.connect(head % (3 << 20)) as made:
        made.sendall(bytes(3 << 20))
        assert answer(made)[0] == 413
    with served.connect(head % (1 << 40)) as made:  # endless
        assert answer(made)[0] == 413
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 10:
                made.sendall(bytes(1 << 16))
        assert time.monotonic() - began < 6


def test_no_more_connections_than_allowed(served: Served) -> None:
    links = [served.connect() for _ in range(25)]
    time.sleep(0.3)
    assert answer(links[-1]) == (0, b""), "closed without a word"
    assert served.metrics.refused_connections >= 5
    for made in links:
        made.close()
    time.sleep(0.3)
    with served.connect(request("/healthz")) as made:
        assert answer(made)[0] == 200


@pytest.mark.parametrize(
    "bytes_", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 100, b"X" * 200_000]
)
def test_what_is_no_http_is_answered_in_our_form(served: Served, bytes_: bytes) -> None:
    with served.connect(bytes_ + b"\r\n\r\n") as made:
        status, whole = answer(made)
        assert status == 400 and b'"problem"' in whole and b"connection: close" in whole.lower()


def test_a_broken_chunk_costs_its_own_connection_only(served: Served) -> None:
    head = b"POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served.connect(head + b"5\r\nabcde\r\nzz\r\n") as made:
        assert answer(made)[0] == 400
    with served.connect(request("/healthz")) as made:
        assert answer(made)[0] == 200


def test_an_upgrade_is_not_made(served: Served) -> None:
    more = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
    with served.connect(request("/healthz", more)) as made:
        assert answer(made)[0] == 200


def test_behind_a_named_proxy_clients_are_told_apart_and_nobody_else_is_believed() -> None:
    """Each admitted request shows its address in the log line; here the scope's own client is asked."""
    for proxies, expected in ((("127.0.0.1",), "203.0.113.9"), ((), "127.0.0.1")):
        made = Served(Settings(Limits(), TRAFFIC), proxies)
        with made.connect(request("/who", "X-Forwarded-For: 203.0.113.9\r\n")) as link:
            status, whole = answer(link)
        assert status == 200 and whole.endswith(expected.encode())
        made.server.should_exit = True
        made.thread.join(10)
