"""Clients of benchmarks/serve_load.py: good, bad, slow and vanishing ones, each over a plain socket."""

from __future__ import annotations

import contextlib
import io
import random
import re
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from benchmarks.serve_job_clients import JobClient

PATIENCE = 150.0  # seconds without a byte after which an answer counts as missing
# percent of what a client does next
SHARES = {"good": 34, "job": 12, "bad": 20, "slow": 10, "vanishing": 14, "looking": 10}
FORMATS = ("glb", "obj", "ply", "stl")


def picture(number: int) -> bytes:
    """A drawing that only this number has, as a PNG."""
    rng = random.Random(number)
    image = Image.new("RGB", (128, 128), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y, r = rng.randint(44, 84), rng.randint(44, 84), rng.randint(14, 34)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.randint(0, 180) for _ in range(3)))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def form(picture: bytes, **fields: object) -> bytes:
    """A whole request for a mesh."""
    body = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="p"\r\n\r\n' + picture
    for name, value in fields.items():
        body += f'\r\n--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
    body += b"\r\n--b--\r\n"
    head = (
        "POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Order:
    """A good request, whose answer is known."""

    picture: int
    seed: int
    format: str
    texture: int
    resolution: int

    def request(self) -> bytes:
        """Its bytes."""
        fields = {
            "seed": self.seed,
            "format": self.format,
            "texture_size": self.texture,
            "resolution": self.resolution,
        }
        return form(picture(self.picture), **fields)


def orders(rng: random.Random, count: int) -> list[Order]:
    """Different good requests: small ones, and one in four of the usual cost."""
    made = []
    for number in range(count):
        texture, resolution = (512, 64) if number % 4 == 3 else (64, 24)
        made.append(
            Order(number % 5, rng.randrange(2**32), FORMATS[number % len(FORMATS)], texture, resolution)
        )
    return made


@dataclass
class Answer:
    """What came: status 0 is nothing, or less than was announced."""

    status: int
    body: bytes
    retry_after: float = 1.0

    @property
    def kind(self) -> str:
        """Of an error; empty for a result."""
        found = re.search(rb'"type": "(\w+)"', self.body) if self.status >= 400 else None
        return found[1].decode() if found else ""


def read(link: socket.socket) -> Answer:
    """One answer."""
    data = b""
    while True:
        try:
            piece = link.recv(1 << 16)
        except OSError:
            piece = b""
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if end and length and len(body) >= int(length[1]):
            again = re.search(rb"retry-after: (\d+)", head, re.IGNORECASE)
            return Answer(int(head[9:12]), body, float(again[1]) if again else 1.0)
        if not piece:
            return Answer(0, data)


@dataclass
class Seen:
    """What all clients saw. Counts are by what the client was and what it got."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waited: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    open_at_stop: int = 0

    def note(self, kind: str, answer: Answer, seconds: float = 0.0, wrong: str = "") -> None:
        """Count one."""
        with self.lock:
            self.counts[f"{kind} {answer.status} {answer.kind}".strip()] += 1
            self.waited = max(self.waited, seconds)
            if wrong:
                self.wrong.append(f"{kind}: {wrong}")


class Client(threading.Thread, JobClient):
    """One client: does one thing after another until ``stop`` is set.

    Attributes:
        since: when its good request was sent; None while none is open.
    """

    def __init__(
        self, port: int, seed: int, known: dict[Order, bytes], seen: Seen, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.port, self.known, self.seen, self.stop = port, known, seen, stop
        self.rng = random.Random(seed)
        self.since: float | None = None

    def run(self) -> None:
        """Until it is told to stop."""
        while not self.stop.is_set():
            kind = self.rng.choices(list(SHARES), list(SHARES.values()))[0]
            try:
                getattr(self, f"_{kind}")()
            except OSError as error:  # after the server has stopped, nobody listens any more
                if not self.stop.is_set():
                    self.seen.note(
                        kind,
                        Answer(0, b""),
                        wrong=f"{type(error).__name__}: {error}" if kind == "good" else "",
                    )
                self.stop.wait(0.2)

    def _link(self, data: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        made.sendall(data)
        return made

    def _good(self) -> None:
        order = self.rng.choice(list(self.known))
        began = time.monotonic()
        with self._link(order.request()) as link:
            self.since = time.monotonic()
            answer = read(link)
            self.since = None
        wrong = ""
        if answer.status == 200 and answer.body != self.known[order]:
            wrong = f"{order}: {len(answer.body)} bytes, not the {len(self.known[order])} of the reference"
        elif answer.status not in (200, 503):
            wrong = f"{answer.status} {answer.kind} {answer.body[:200]!r}"
        self.seen.note("good", answer, time.monotonic() - began, wrong)
        if answer.status == 503:
            self.stop.wait(self.rng.uniform(0.2, 1.0) * min(answer.retry_after, 3))

    def _job(self) -> None:
        status, wrong = self.job()
        self.seen.note("job", Answer(status, b""), wrong=wrong)

    def _bad(self) -> None:
        good = picture(0)
        body = form(good)
        requests = [
            (form(b""), 422),
            (form(self.rng.randbytes(2000)), 422),
            (form(good[: len(good) // 2]), 422),
            (form(good, texture_size=1 << 20), 422),
            (form(good, seed="x"), 422),
            (form(good, unknown=1), 422),
            (body.replace(b"boundary=b", b"boundary=c"), 400),
            (body.replace(b"Host: localhost", b"Host: evil.example"), 421),
            (body.replace(b"Host: localhost", b"Host: localhost\r\nOrigin: https://evil.example"), 403),
            (body.replace(b"multipart/form-data", b"text/plain; x"), 415),
            (b"POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            (b"PUT /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
            (b"\x16\x03\x01no http at all\r\n\r\n", 400),
        ]
        data, status = self.rng.choice(requests)
        with self._link(data) as link:
            answer = read(link)
        expected = answer.status in (status, 503) and (answer.status == 503 or answer.kind != "")
        self.seen.note(
            "bad", answer, wrong="" if expected else f"{answer.status} instead of {status} for {data[:80]!r}"
        )

    def _slow(self) -> None:
        data = form(picture(1) + bytes(1 << 20))
        sent = self.rng.choice((20, 200, len(data) // 2))
        with self._link(data[:sent]) as link:
            link.settimeout(0.3)
            for place in range(sent, len(data) - 1):
                if self.stop.is_set():
                    return
                with contextlib.suppress(TimeoutError):
                    link.setblocking(True)
                    link.settimeout(0.3)
                    if not link.recv(1, socket.MSG_PEEK):
                        break
                    link.settimeout(PATIENCE)
                    answer = read(link)
                    self.seen.note(
                        "slow", answer, wrong="" if answer.status in (408, 503) else f"{answer.status}"
                    )
                    return
                link.sendall(data[place : place + 1])
        self.seen.note("slow", Answer(0, b""))  # cut before its head had arrived, which has no answer

    def _vanishing(self) -> None:
        order = self.rng.choice(list(self.known))
        data = order.request()
        cut = self.rng.choice((len(data), len(data), self.rng.randrange(1, len(data))))
        link = self._link(data[:cut])
        self.stop.wait(self.rng.choice((0.0, 0.0, 0.2, 1.0)))
        if self.rng.random() < 0.5:  # a reset instead of an end
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        link.close()
        self.seen.note("vanishing", Answer(0, b""))

    def _looking(self) -> None:
        method, path = (
            self.rng.choice(("GET", "HEAD")),
            self.rng.choice(("/", "/healthz", "/readyz", "/metrics", "/openapi.json")),
        )
        began = time.monotonic()
        with self._link(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        ) as link:
            data = b""
            while piece := link.recv(1 << 16):
                data += piece
        status = int(data[9:12]) if data else 0
        self.seen.note(
            "looking", Answer(status, b""), wrong="" if status == 200 else f"{method} {path}: {status}"
        )
        with self.seen.lock:
            self.seen.counts["slowest look, ms"] = max(
                self.seen.counts["slowest look, ms"], round(1000 * (time.monotonic() - began))
            )
