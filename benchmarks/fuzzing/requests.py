"""Requests to a running ``geco serve``: every answer is well formed, and a result or an error in our form."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from pathlib import Path
from random import Random

from benchmarks.fuzzing.case import Case
from benchmarks.fuzzing.http_requests import manner, request
from benchmarks.fuzzing.live_server import LiveServer

PATIENCE = 30.0  # seconds for an answer: longer than the server's own limit of one request
BOUND_TO_FAIL = (501, 503, 504, 507)  # of the statuses from 500, those that the documentation names
_servers: list[LiveServer] = []


def server() -> LiveServer:
    """This process's own."""
    if not _servers:
        _servers.append(LiveServer())
    return _servers[0]


def warm_up() -> None:
    """Start the server, and see that it answers."""
    assert (
        answers(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "GET")[0].status
        == 200
    )


def memory() -> int:
    """Of the server, not of the client."""
    return server().memory()


def make(rng: Random) -> Case:
    """A request, whole or not, and how it is sent."""
    data, about, method = request(rng)
    return Case(about, {"request.http": data}, {"method": method, **manner(rng)})


def try_it(case: Case, folder: Path) -> str:
    """Send it, and judge every answer."""
    data, how = case.files["request.http"], case.how
    kind, method = how["manner"], how["method"]
    place = int(how["share"] * len(data))
    if kind in ("cut", "half", "stall"):
        data = data[:place]
    elif kind == "twice":
        data = data + data
    found = answers(data, method, kind, place if kind == "pieces" else len(data))
    assert server().alive, f"the server has died: {' '.join(server().lines[-3:])}"
    for each in found:
        if each.status == 500:
            raise ServerError(*_logged(each))
        each.check()
    if not found:
        return "no answer"
    return " ".join(found[0].summary())


class ServerError(Exception):
    """An answer 500: what the server's log says about it.

    Args:
        message: the exception. where: the innermost line of ours.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


def _logged(answer: Answer) -> tuple[str, str]:
    """The exception behind an answer 500, and where it was raised."""
    time.sleep(0.3)  # the log follows the answer
    number = answer.headers.get("x-request-id", "")
    log = "\n".join(server().lines).rpartition(f"request {number} failed")[2]
    frames = re.findall(r'File "[^"]*[/\\](geco[/\\][^"]*)", line (\d+), in (\w+)', log)
    errors = re.findall(r"^((?!geco:)[\w.]+: .*)$", log, re.M)
    where = "{}:{} ({})".format(*frames[-1]) if frames else "outside"
    return (errors[-1] if errors else log[:300]), where


class Incomplete(AssertionError):
    """More of an answer must come."""


class Answer:
    """One answer of HTTP/1.1, parsed strictly.

    Args:
        data: from its status line on; ``rest`` is what follows it.
        method: of the request: the answer to HEAD has no body, whatever it declares.
        ended: whether the connection is closed, so that nothing more will come.
    """

    def __init__(self, data: bytes, method: str, ended: bool) -> None:
        head, mark, body = data.partition(b"\r\n\r\n")
        if not mark:
            raise Incomplete(f"an answer without an end of its headers: {data[:80]!r}")
        first, *lines = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [\x20-\x7e]*", first)
        assert found, f"no status line: {first[:80]!r}"
        self.status, self.headers = int(found[1]), dict(self._header(line) for line in lines)
        length = int(self.headers.get("content-length", -1))
        # What is no HTTP is answered with a body, even where its first word is HEAD.
        self.bodiless = (
            (method == "HEAD" and len(body) != length) or self.status in (204, 304) or self.status < 200
        )
        if self.bodiless:
            self.body, self.rest = b"", body
        elif self.headers.get("transfer-encoding") == "chunked":
            self.body, self.rest = _unchunked(body)
        elif length >= 0:
            if len(body) < length:
                raise Incomplete(f"{len(body)} of {length} bytes of the answer")
            self.body, self.rest = body[:length], body[length:]
        elif not ended:
            raise Incomplete("an answer that ends with the connection")
        else:
            self.body, self.rest = body, b""

    @staticmethod
    def _header(line: str) -> tuple[str, str]:
        found = re.fullmatch(r"([A-Za-z0-9-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)", line)
        assert found, f"a broken header: {line[:80]!r}"
        return found[1].lower(), found[2]

    def check(self) -> None:
        """A result of ours, or an error in our form with a status that the documentation names."""
        if self.status >= 400 and not self.bodiless:
            error = json.loads(self.body)["error"]
            assert {"type", "problem", "remedy"} <= error.keys(), f"an error without {error}"
            assert (
                error["type"] and error["problem"] and all(isinstance(value, str) for value in error.values())
            ), error
            assert self.status < 500 or self.status in BOUND_TO_FAIL, f"{self.status}: {error}"
        if self.status == 503:
            assert int(self.headers["retry-after"]) >= 1
        kind = self.headers.get("content-type", "")
        if self.status == 200 and not self.bodiless:
            assert self.body, "200 with nothing in it"
            if kind == "model/gltf-binary":
                assert self.body.startswith(b"glTF") and int.from_bytes(self.body[8:12], "little") == len(
                    self.body
                )
            elif kind == "application/json":
                json.loads(self.body)

    def summary(self) -> tuple[str, str]:
        """The status, and the kind of content or of error."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        with contextlib.suppress(ValueError, KeyError, TypeError):
            kind = json.loads(self.body)["error"]["type"]
        return str(self.status), kind


def answers(data: bytes, method: str, kind: str = "whole", place: int = 0) -> list[Answer]:
    """Send bytes over one connection, and parse what comes: one final answer, or all until it ends.

    Args:
        kind: how they are sent, see :func:`benchmarks.fuzzing.http_requests.manner`.
        place: where "pieces" are parted.
    """
    wanted = {"twice": 2}.get(kind, 1)
    with socket.create_connection(("127.0.0.1", server().port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent
            connection.sendall(data[:place])
            connection.sendall(data[place:])
        if kind in ("leave", "cut"):
            return []
        if kind == "half":
            with contextlib.suppress(OSError):  # the server has closed it already
                connection.shutdown(socket.SHUT_WR)
        received, ended = b"", False
        while True:
            with contextlib.suppress(Incomplete):
                found = _parsed(received, method, ended)
                if ended or len(found) >= wanted:
                    return found
            if ended:
                return _parsed(received, method, ended)  # says what is missing
            piece = b""
            with contextlib.suppress(ConnectionResetError):
                piece = connection.recv(1 << 16)
            received, ended = received + piece, not piece


def _parsed(received: bytes, method: str, ended: bool) -> list[Answer]:
    """The final answers in these bytes; interim ones (100 Continue) are left out."""
    found: list[Answer] = []
    while received:
        answer = Answer(received, method, ended)
        received = answer.rest
        if answer.status >= 200:
            found.append(answer)
    return found


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, mark, rest = data.partition(b"\r\n")
        if not mark:
            raise Incomplete("chunks without an end")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return body, rest.removeprefix(b"\r\n")
        if len(rest) < size + 2:
            raise Incomplete("a chunk without an end")
        assert rest[size : size + 2] == b"\r\n", "a chunk of another length"
        body, data = body + rest[:size], rest[size + 2 :]
