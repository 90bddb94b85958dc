"""A hub of our own: a small server that speaks as much of the hub's protocol as huggingface_hub asks for.

Repositories with their files at one commit; large files as the real one has them (their SHA-256 told, ranges
served). It can break a line, hold it, and send other bytes than it says.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.hub.uploads import Uploads

COMMIT = "c" * 40
LARGE = 2048  # bytes: what the real hub keeps as a large file


class Hub(ThreadingHTTPServer):
    """What each repository holds, and how it misbehaves.

    Attributes:
        files: hub id -> path -> bytes.
        seen: every request, as "METHOD PATH RANGE".
        tokens: what requests for files were authorised by.
        cut: path -> bytes after which its line breaks, once for each entry of the list.
        hold: path -> bytes after which its line waits for ``released``.
        wrong: paths that are sent with their last byte changed.
        claimed: path -> the size that the listing says.
        uploads: what was sent to it.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, dict[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.uploads = Uploads()
        self.seen: list[str] = []
        self.tokens: set[str] = set()
        self.cut: dict[str, list[int]] = {}
        self.hold: dict[str, int] = {}
        self.wrong: set[str] = set()
        self.claimed: dict[str, int] = {}
        self.holding, self.released = threading.Event(), threading.Event()

    def asked(self, path: str) -> list[str]:
        """The ranges that a file's bytes were asked for: "" for all of it."""
        return [
            line.split(" ")[2]
            for line in self.seen
            if line.startswith("GET ") and f"/{path} " in line and "/resolve/" in line
        ]

    def reached(self) -> int:
        """How often somebody asked whether it is there, which precedes everything else."""
        return self.seen.count("HEAD / ")

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to take this for the hub, with caches of its own."""
        return {
            "HF_ENDPOINT": f"http://127.0.0.1:{self.server_port}",
            "HF_HOME": str(home / "hf"),
            "XDG_CACHE_HOME": str(home / "cache"),
        }

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that is gone is no news."""


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_POST(self) -> None:
        self.server.seen.append(f"POST {self.path} ")
        own, said = f"http://127.0.0.1:{self.server.server_port}", self.headers.get("Authorization", "")
        status, found = self.server.uploads.post(
            self.path.partition("?")[0], self.received(), said, self.server.files, own
        )
        self.reply(status, json.dumps(found).encode(), {"Content-Type": "application/json"}, True)

    def do_PUT(self) -> None:
        self.server.seen.append(f"PUT {self.path} ")
        self.reply(self.server.uploads.put(self.path, self.received()), b"", {}, True)

    def received(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, with_body: bool) -> None:
        range_ = self.headers.get("Range", "")
        path = self.path.partition("?")[0]
        self.server.seen.append(f"{self.command} {path} {range_}")
        if path == "/":
            return self.reply(200, b"", {}, with_body)
        if path.startswith("/api/models/"):
            return self.describe(path.removeprefix("/api/models/"), with_body)
        hub_id, _, rest = path.lstrip("/").partition("/resolve/")
        name = rest.partition("/")[2]
        if rest:
            self.server.tokens.add(self.headers.get("Authorization", ""))
        body = self.server.files.get(hub_id, {}).get(name)
        if body is None:
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)
        told = {"ETag": f'"{etag(body)}"', "X-Repo-Commit": self.commit(rest), "Accept-Ranges": "bytes"}
        if name in self.server.wrong:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if found := re.fullmatch(r"bytes=(\d+)-", range_):
            start = int(found[1])
            told["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return self.reply(206, body[start:], told, with_body, name)
        return self.reply(200, body, told, with_body, name)

    def describe(self, path: str, with_body: bool) -> None:
        hub_id = "/".join(path.split("/")[:2])
        files = self.server.files.get(hub_id)
        if files is None:
            return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)
        if "/tree/" not in path:
            named = [{"rfilename": name} for name in files]
            told = {"id": hub_id, "sha": self.commit(path.partition("/revision/")[2]), "siblings": named}
            return self.reply(200, json.dumps(told).encode(), {}, with_body)
        listed = [listing(name, body, self.server.claimed.get(name)) for name, body in files.items()]
        return self.reply(200, json.dumps(listed).encode(), {}, with_body)

    def commit(self, revision: str) -> str:
        asked = revision.partition("/")[0]
        return asked if re.fullmatch("[0-9a-f]{40}", asked) else COMMIT

    def reply(
        self, status: int, body: bytes, headers: dict[str, str], with_body: bool, name: str = ""
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.send(body, name)

    def send(self, body: bytes, name: str) -> None:
        cuts = self.server.cut.get(name, [])
        stop = cuts.pop(0) if cuts else self.server.hold.get(name)
        if stop is None:
            self.wfile.write(body)
            return
        self.wfile.write(body[:stop])
        self.wfile.flush()
        if name in self.server.hold:
            self.server.holding.set()
            self.server.released.wait(60)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def etag(body: bytes) -> str:
    """The hub's: SHA-256 of large files, git's SHA-1 of others."""
    if len(body) >= LARGE:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def listing(name: str, body: bytes, claimed: int | None) -> dict[str, object]:
    size = len(body) if claimed is None else claimed
    entry: dict[str, object] = {"type": "file", "path": name, "size": size, "oid": "0" * 40}
    if len(body) >= LARGE:
        entry["lfs"] = {"oid": etag(body), "size": size, "pointerSize": 130}
    return entry


@contextmanager
def serving(files: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub(files)
    threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.released.set()
        hub.shutdown()
        hub.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder as a repository."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
