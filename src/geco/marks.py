"""Marks: every file that GECO writes says so, and names the picture that it was made from.

One line of ASCII without quotes, so that it stands unchanged in a JSON string, in a comment of OBJ, PLY or a
picture, in the header of an STL and in the directory of a zip: ``made by GECO 0.1.0: mesh of cat.png
(1a2b3c4d5e6f7a8b)``. The picture's name is without its folder and the number is of its bytes, so the mark is
the same wherever the picture lies.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, unquote

from geco.version import __version__

# bytes looked at, at the beginning and at the end of a file: no format keeps the mark elsewhere
WINDOW = 64 * 1024
DIGEST = 16  # hex digits: 64 bits tell the pictures of one person apart
_MARK = re.compile(
    rb"made by GECO (\S{1,40}): ([a-z]{1,20})(?: of ([\w.%~-]{1,800})(?: \(([0-9a-f]{16})\))?)?", re.ASCII
)
# Version 0.1.0 before there were marks: how its GLB, OBJ, MTL, PLY and STL begin.
_UNMARKED = re.compile(
    rb'\AglTF.{16}\{"asset":\{"version":"2\.0","generator":"GECO ([^"\s]{1,40})"'
    rb"|\A# GECO (\S{1,40})\r?\n|\Aply\nformat binary_little_endian 1\.0\ncomment GECO (\S{1,40})\n|\AGECO "
    rb"(\S{1,40}) binary STL",
    re.DOTALL,
)


@dataclass(frozen=True)
class Source:
    """The picture that something was made from.

    Attributes:
        name: of its file, without folders; "" where it has none (bytes, arrays).
        digest: the first 16 hex digits of the SHA-256 of its bytes; "" where they are not known.
    """

    name: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Mark:
    """What a file of ours says about itself.

    Attributes:
        made: "mesh", "material", "texture", "views", "turntable", "step", "sheet", "curves".
        name: of the picture's file as the mark has it (:func:`encoded_name`); "" where none was named.
        digest: of the picture, as :class:`Source` has it, or "".
        version: of GECO.
        old: written before there were marks; it is ours, and nobody knows what it was made from.
    """

    made: str
    name: str
    digest: str
    version: str
    old: bool = False

    @property
    def shown(self) -> str:
        """What a message calls the thing that it was made from."""
        if not self.name or self.name.startswith("~"):
            return "another input"
        return f"another input, {unquote(self.name, errors='backslashreplace')}"

    def names(self, source: Source) -> bool:
        """Whether the file was made from a picture of this name."""
        return bool(source.name) and self.name in (encoded_name(source.name), _short(source.name))

    def is_of(self, source: Source) -> bool:
        """Whether the file was made from this very picture: the same name and the same bytes."""
        return self.names(source) and bool(source.digest) and self.digest == source.digest


def mark_text(made: str, source: Source | None = None, longest: int = 1000) -> str:
    """The mark of a file, at most ``longest`` characters (70 at least): a name too long for it is hashed."""
    head = f"made by GECO {__version__}: {made}"
    if source is None or not source.name:
        return head
    tail = f" ({source.digest})" if source.digest else ""
    name = encoded_name(source.name)
    if len(name) > 800 or len(f"{head} of {name}{tail}") > longest:
        name = _short(source.name)
    return f"{head} of {name}{tail}"


def read_mark(path: str | os.PathLike[str]) -> Mark | None:
    """The mark of a file; None: not ours, not there, no ordinary file, unreadable. Reads at most 128 KiB."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            data = file.read(WINDOW)
            if status.st_size > WINDOW:
                file.seek(max(status.st_size - WINDOW, WINDOW))
                data += file.read(WINDOW)
    except (OSError, ValueError):
        return None
    return find_mark(data)


def find_mark(data: bytes) -> Mark | None:
    """The mark in the bytes of a file (its beginning and its end)."""
    if found := _MARK.search(data):
        version, made, name, digest = (part.decode("ascii", "replace") for part in found.groups(b""))
        return Mark(made, name, digest, version)
    if found := _UNMARKED.search(data):
        version = next(part for part in found.groups() if part is not None).decode("ascii", "replace")
        return Mark("mesh", "", "", version, old=True)
    return None


def digest_of(data: bytes) -> str:
    """What a mark says about a picture's bytes."""
    return hashlib.sha256(data).hexdigest()[:DIGEST]


def encoded_name(name: str) -> str:
    """A file's name in ASCII without spaces and quotes, the same for all its Unicode forms (macOS
    decomposes).
    """
    return quote(_bytes(name), safe="")


def _short(name: str) -> str:
    return "~" + hashlib.sha256(_bytes(name)).hexdigest()[:DIGEST]


def _bytes(name: str) -> bytes:
    """The last part of a path, composed (NFC). Names that are no UTF-8 hold lone surrogates, which stay."""
    return unicodedata.normalize("NFC", os.path.basename(name)).encode("utf-8", "surrogatepass")
