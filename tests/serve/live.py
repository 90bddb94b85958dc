"""A real `geco serve` process, and unfriendly ways to talk to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


class Live:
    """`geco serve --port 0 ARGUMENTS`, up and listening."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "geco.cli.main", "serve", "--port", "0", *arguments]
        variables = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
        self.process = subprocess.Popen(command, env=variables, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._up = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._up.wait(60), self.lines
        found = re.search(r"http://.*:(\d+)", "".join(self.lines))
        assert found, self.lines
        self.port = int(found[1])

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if "serving" in line:
                self._up.set()
        self._up.set()

    def connect(self, data: bytes = b"", timeout: float = 60) -> socket.socket:
        """A connection over which ``data`` was sent."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        made.sendall(data)
        return made

    def ask(self, data: bytes, timeout: float = 60) -> tuple[int, bytes]:
        """Status and whole answer to one request."""
        with self.connect(data, timeout) as made:
            return answer(made)

    def get(self, path: str) -> str:
        """The body of an answer to GET."""
        status, whole = self.ask(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert status == 200, whole
        return whole.partition(b"\r\n\r\n")[2].decode()

    def stop(self, number: int = signal.SIGTERM, within: float = 60) -> tuple[int, float]:
        """Send the signal; exit code and seconds until the end."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(within), time.monotonic() - began

    def kill(self) -> None:
        """Whatever it does."""
        self.process.kill()
        self.process.wait()


def answer(made: socket.socket) -> tuple[int, bytes]:
    """Status and bytes of what comes until the connection ends or the declared length is there; 0
    where nothing comes.
    """
    data = b""
    while True:
        try:
            piece = made.recv(1 << 16)
        except ConnectionError:
            piece = b""
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if not piece or (end and length and len(body) >= int(length[1])):
            return (int(data[9:12]) if data else 0), data


def form(picture: bytes, host: str = "localhost", **fields: object) -> bytes:
    """A whole request for a mesh."""
    body = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="p"\r\n\r\n' + picture
    for name, value in fields.items():
        body += f'\r\n--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
    body += b"\r\n--b--\r\n"
    head = f"POST /api/v1/mesh HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


Post = Callable[..., Any]
