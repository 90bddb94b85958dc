"""Clients of benchmarks/serve_load.py that ask for jobs: wait, listen, cancel, or leave."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

JOBS = "/api/v1/jobs"
LONGEST = 150.0  # seconds until a job that was admitted must be over


class JobClient:
    """What a client does with a job; ``known`` are good requests with the files that answer them."""

    port: int
    rng: random.Random
    stop: threading.Event
    known: Mapping[Any, bytes]

    def job(self) -> tuple[int, str]:
        """Ask for one, then do something; the status it ends with, and what was wrong."""
        order = self.rng.choice(list(self.known))
        status, body = self._ask(order.request().replace(b"/api/v1/mesh", JOBS.encode(), 1))
        if status != 202:
            return status, "" if status == 503 else f"a job: {status} {body[:200]!r}"
        name = json.loads(body)["id"]
        what = self.rng.choice(("wait", "listen", "cancel", "leave"))
        if what == "leave":
            return status, ""
        if what == "cancel":
            self.stop.wait(self.rng.choice((0.0, 0.2, 1.0)))
            status, body = self._ask(_head("DELETE", f"{JOBS}/{name}"))
            return status, "" if status in (200, 204) else f"cancelled: {status} {body[:200]!r}"
        if what == "listen":
            status, body = self._ask(_head("GET", f"{JOBS}/{name}/events"))
            if status == 200 and b"event: end" not in body and not self.stop.is_set():
                return status, f"a stream without its end: {body[-200:]!r}"
        return self._judge(name, self.known[order])

    def _judge(self, name: str, wanted: bytes) -> tuple[int, str]:
        until = time.monotonic() + LONGEST
        while not self.stop.is_set():
            status, body = self._ask(_head("GET", f"{JOBS}/{name}"))
            if status != 200:
                return status, f"a job that was admitted: {status} {body[:200]!r}"
            job = json.loads(body)
            if job["state"] == "done":
                _, mesh = self._ask(_head("GET", job["results"][0]["url"]))
                return 200, "" if mesh == wanted else f"a job's mesh of {len(mesh)} bytes"
            if job["state"] not in ("queued", "running") or time.monotonic() > until:
                return 200, f"a job that was admitted: {job}"
            self.stop.wait(0.3)
        return 0, ""

    def _ask(self, data: bytes) -> tuple[int, bytes]:
        """Status and body; a stream's body as it came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONGEST) as link:
            link.sendall(data.replace(b"\r\nHost", b"\r\nConnection: close\r\nHost", 1))
            answer = b""
            while piece := link.recv(1 << 16):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head[9:12] or 0), body


def _head(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
