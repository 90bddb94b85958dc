"""The page's files as the package holds them, each with its type, and the headers that they are sent with."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
ENTRANCE = "index.html"
# The one style that model-viewer keeps inside its element.
VIEWER_STYLE = "'sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0='"
# Nothing from elsewhere, no script and no style in the page itself. WebAssembly is for a decoder that
# model-viewer makes ready when it is loaded, and which otherwise fails into the console.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": f"'self' {VIEWER_STYLE}",
    "img-src": "'self' data: blob:",
    "connect-src": "'self' data: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
# The viewer alone has these, which the service has not; and the other way round.
VIEWING = ("view.html", "view.js")
SERVICE = (ENTRANCE, "main.js")
SMALL = 1400  # bytes: what fits into one packet is not worth packing


@dataclass(frozen=True)
class PageFile:
    """One file: its path below the page's folder (``vendor/model-viewer.min.js``), type and bytes."""

    path: str
    kind: str
    body: bytes

    @cached_property
    def tag(self) -> str:
        """For If-None-Match: the same bytes have the same one."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    @cached_property
    def packed(self) -> bytes | None:
        """By gzip, where that is shorter; made when it is first asked for."""
        if self.kind.startswith("image/webp") or len(self.body) < SMALL:
            return None
        return gzip.compress(self.body, 6, mtime=0)

    def answer(
        self, accepted: str = "", known: str = "", frames: Sequence[str] = ()
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a GET.

        Args:
            accepted, known: the request's Accept-Encoding and If-None-Match.
            frames: origins of the sites that may show the page in a frame of theirs.
        """
        headers = {
            **HEADERS,
            "Content-Security-Policy": policy(frames),
            "Content-Type": self.kind,
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
        }
        if self.tag in known:
            return 304, headers, b""
        if "gzip" in accepted and self.packed is not None:
            return 200, {**headers, "Content-Encoding": "gzip"}, self.packed
        return 200, headers, self.body


def policy(frames: Sequence[str] = ()) -> str:
    """The Content-Security-Policy; ``frames`` as for :meth:`PageFile.answer`."""
    rules = {**POLICY, "frame-ancestors": " ".join(frames) or "'none'"}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def page_files(viewing: bool = False) -> dict[str, PageFile]:
    """All that the service's page loads, or all that the viewer alone does, by path."""
    folder = resources.files("geco.serve").joinpath("page")
    return {
        path: PageFile(path, KINDS[suffix(path)], file.read_bytes())
        for path, file in _below(folder, "")
        if path not in (SERVICE if viewing else VIEWING)
    }


def suffix(path: str) -> str:
    """The last dot and what follows."""
    return path[path.rindex(".") :]


def _below(folder: Traversable, at: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _below(entry, f"{at}{entry.name}/")
        elif suffix(f".{entry.name}") in KINDS:
            yield f"{at}{entry.name}", entry
