"""One mesh in the user's own browser: the page's viewer from a server of the standard library that only this
machine can reach.
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from geco.errors import ConfigError
from geco.serve.page_files import PageFile, page_files

HOST = "127.0.0.1"
SILENCE = 30  # seconds that a connection may say nothing


class Viewing(ThreadingHTTPServer):
    """Serves one mesh to browsers on this machine, until it is closed.

    Args:
        glb: the mesh. name: of its file, shown above it.
        port: to listen on; 0 is any that is free.
    Raises:
        ConfigError: the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, glb: bytes, name: str, port: int = 0) -> None:
        about = json.dumps({"name": name, "bytes": len(glb)}).encode()
        files = page_files(viewing=True)
        own = {
            "": files["view.html"],
            "about.json": PageFile("about.json", "application/json", about),
            "file.glb": PageFile("file.glb", "model/gltf-binary", glb),
        }
        self.files = files | own
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"port {port} cannot be had: {error}", "Choose another --port.") from error

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def start(self) -> threading.Thread:
        """Answer from now on, in a thread of its own."""
        thread = threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True)
        thread.start()
        return thread

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up in the middle is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    server: Viewing
    timeout = SILENCE
    server_version, sys_version = "geco", ""

    def do_GET(self) -> None:
        """A file, to whoever asks for it under this machine's own name: no page of another site can be bound
        to it.
        """
        host = self.headers.get("Host", HOST).rpartition(":")[0] or self.headers.get("Host", HOST)
        file = self.server.files.get(self.path.partition("?")[0].removeprefix("/"))
        if host not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        known = self.headers.get("If-None-Match", "")
        status, headers, body = file.answer(self.headers.get("Accept-Encoding", ""), known)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing: the terminal belongs to the user."""
