"""One file over HTTP: tried again with growing pauses, checked for its length, hashed, limited in
size, whole or not at all.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geco.errors import GecoError
from geco.files import atomic_path

_BLOCK = 1 << 18
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers that a later try may better (RFC 9110, RFC 6585)


class FetchError(GecoError):
    """A file that cannot be had."""


class OfflineError(FetchError):
    """The server could not be reached, or did not do its work, at every try."""


class RefusedError(FetchError):
    """The server answered that there is no such file, or what it sends is not to be kept: trying again
    changes nothing.

    Attributes:
        reason: "missing", "forbidden", "too-large", "broken" (not what was to come) or "occupied".
    """

    def __init__(self, reason: str, problem: str, remedy: str = "") -> None:
        self.reason = reason
        super().__init__(problem, remedy)


@dataclass(frozen=True)
class Patience:
    """How long to try: ``attempts`` in all, with pauses of ``wait`` seconds that double, up to
    ``longest``.
    """

    attempts: int = 5
    wait: float = 1.0
    longest: float = 60.0
    timeout: float = 60.0

    def pause(self, attempt: int, asked: float = 0.0) -> float:
        """Seconds before the next try; at least what the server ``asked`` for, at most ``longest``."""
        return min(max(self.wait * 2**attempt * random.uniform(0.75, 1.25), asked), self.longest)


def fetch(
    url: str,
    path: Path,
    patience: Patience | None = None,
    limit: int | None = None,
    accept: Callable[[Path], bool] = lambda path: True,
) -> str:
    """Download ``url`` to ``path``.

    Args:
        limit: bytes; a larger file is refused, from its announced length where there is one.
        accept: whether what came is what was meant; asked before it takes its place.

    Returns:
        The file's sha256, hexadecimal.

    Raises:
        RefusedError: missing, forbidden, too large, or not accepted (broken).
        OfflineError: every try failed.
        OutputError: ``path`` cannot be written.
    """
    patience = patience or Patience()
    last = "nothing was tried"
    for attempt in range(patience.attempts):
        asked = 0.0
        try:
            return _once(url, path, patience.timeout, limit, accept)
        except urllib.error.HTTPError as error:
            if error.code not in _AGAIN:
                reason = "missing" if error.code in (404, 410) else "forbidden"
                raise RefusedError(
                    reason, f"{url}: the server answered {error.code} {error.reason}"
                ) from error
            last, asked = f"{error.code} {error.reason}", _seconds(error.headers.get("Retry-After"))
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            last = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt + 1 < patience.attempts:
            time.sleep(patience.pause(attempt, asked))
    raise OfflineError(
        f"cannot download {url} ({patience.attempts} tries; the last: {last})",
        "Check the network and run the same command again: what is here already is kept.",
    )


def _once(url: str, path: Path, timeout: float, limit: int | None, accept: Callable[[Path], bool]) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": "geco3d"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        announced = _length(answer.headers.get("Content-Length"))
        if limit is not None and announced is not None and announced > limit:
            raise RefusedError(
                "too-large", f"{url}: {announced} bytes, more than {limit}", "Raise the limit."
            )
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            digest, size = hashlib.sha256(), 0
            while block := _read(answer):
                size += len(block)
                if limit is not None and size > limit:
                    raise RefusedError("too-large", f"{url}: more than {limit} bytes", "Raise the limit.")
                digest.update(block)
                file.write(block)
            if announced is not None and size != announced:
                raise http.client.IncompleteRead(b"", announced - size)
            file.flush()
            if not accept(temporary):
                raise RefusedError("broken", f"{url}: not what it should be", "Is it the right server?")
    return digest.hexdigest()


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The next block. A broken connection is an OSError, and would look like a full disk to the
    writer of the file.
    """
    try:
        return answer.read(_BLOCK)
    except OSError as error:
        raise http.client.HTTPException(f"the connection broke: {error}") from error


def _length(text: str | None) -> int | None:
    """What a header announces; None without one, or where it is no number."""
    return int(text) if text and text.strip().isdecimal() and len(text) < 20 else None


def _seconds(text: str | None) -> float:
    return float(text) if text and text.strip().isdecimal() and len(text) < 20 else 0.0
