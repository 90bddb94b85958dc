"""One file from elsewhere: tried again with growing pauses, hashed, limited in size, whole or not at all; and
the plain way to receive it, over HTTP.
"""

from __future__ import annotations

import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from geco.errors import GecoError
from geco.files import atomic_path
from geco.reading import sha256_of

_BLOCK = 1 << 18
T = TypeVar("T")
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers that a later try may better (RFC 9110, RFC 6585)


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


class Stumble(Exception):
    """A try that failed and may go well the next time.

    Attributes:
        wait: seconds that the server asked for.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        self.wait = wait
        super().__init__(reason)


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


class Sink:
    """A file to write to, up to a limit.

    Attributes:
        failed: why the disk did not take it; None: it did.
    """

    def __init__(self, file: BinaryIO, limit: int | None, name: str) -> None:
        self._file, self._limit, self._name = file, limit, name
        self.failed: OSError | None = None

    def expect(self, size: int | None) -> None:
        """Refuse a file that announces more than the limit; raises RefusedError."""
        if size is not None and self._limit is not None and size > self._limit:
            raise RefusedError(
                "too-large", f"{self._name}: {size} bytes, more than {self._limit}", "Raise the limit."
            )

    def write(self, block: bytes) -> int:
        self.expect(self._file.tell() + len(block))
        try:
            return self._file.write(block)
        except OSError as error:
            self.failed = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


Receive = Callable[
    [str, Sink, float], None
]  # an address, where it goes, seconds: raises Stumble, RefusedError


def fetch(
    address: str,
    path: Path,
    patience: Patience | None = None,
    limit: int | None = None,
    accept: Callable[[Path], bool] = lambda path: True,
    receive: Receive | None = None,
) -> str:
    """Download a file to ``path``.

    Args:
        address: a URL, or what ``receive`` takes.
        limit: bytes; a larger file is refused, from its announced length where there is one.
        accept: whether what came is what was meant; asked before it takes its place.
        receive: how; None: :func:`over_http`.

    Returns:
        The file's sha256, hexadecimal.

    Raises:
        RefusedError: missing, forbidden, too large, or not accepted (broken).
        OfflineError: every try failed.
        OutputError: ``path`` cannot be written.
    """
    patience = patience or Patience()

    def once() -> str:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            (receive or over_http)(address, Sink(file, limit, address), patience.timeout)
            file.flush()
            if not accept(temporary):
                raise RefusedError("broken", f"{address}: not what it should be", "Is it the right server?")
            return sha256_of(temporary)

    return persist(address, patience, once)


def persist(what: str, patience: Patience, once: Callable[[], T]) -> T:
    """What ``once`` returns at its first try that does not stumble; raises OfflineError after the last."""
    last = "nothing was tried"
    for attempt in range(patience.attempts):
        try:
            return once()
        except Stumble as stumble:
            last, asked = str(stumble), stumble.wait
        if attempt + 1 < patience.attempts:
            time.sleep(patience.pause(attempt, asked))
    raise OfflineError(
        f"cannot download {what} ({patience.attempts} tries; the last: {last})",
        "Check the network and run the same command again: what is here already is kept.",
    )


def over_http(url: str, sink: Sink, timeout: float) -> None:
    """The answer to GET; raises Stumble, RefusedError, and whatever the sink does."""
    request = urllib.request.Request(url, headers={"User-Agent": "geco3d"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            announced = number(answer.headers.get("Content-Length"))
            sink.expect(announced)
            size = 0
            while block := _read(answer):
                size += len(block)
                sink.write(block)
            if announced is not None and size != announced:
                raise http.client.IncompleteRead(b"", announced - size)
    except urllib.error.HTTPError as error:
        refuse(url, error.code, error.reason)
        raise Stumble(
            f"{error.code} {error.reason}", number(error.headers.get("Retry-After")) or 0
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise Stumble(str(getattr(error, "reason", error)) or type(error).__name__) from error


def refuse(address: str, status: int, reason: str) -> None:
    """Raise RefusedError for an HTTP status that no later try betters."""
    if status not in AGAIN:
        kind = "missing" if status in (404, 410) else "forbidden"
        raise RefusedError(kind, f"{address}: the server answered {status} {reason}")


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The next block. A broken connection is an OSError, and would look like a full disk to the
    writer of the file.
    """
    try:
        return answer.read(_BLOCK)
    except OSError as error:
        raise http.client.HTTPException(f"the connection broke: {error}") from error


def number(text: str | None) -> int | None:
    """What a header says in digits; None without one, or where it is no number."""
    return int(text) if text and text.strip().isdecimal() and len(text) < 20 else None
