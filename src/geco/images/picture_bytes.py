"""The bytes of a picture, from whatever holds them, at most as many as a picture may have."""

from __future__ import annotations

import os
import re
import stat
from typing import Protocol

from geco.errors import InputImageError

# refused from the header alone, before decoding: 64 MP is any phone's full mode, 0.3 GB decoded
MAX_PIXELS = 64_000_000
MAX_BYTES = 512 * 2**20  # of a file: 64 MP of 16-bit RGBA, uncompressed
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:")  # two letters at least: C:/ is a drive


class Readable(Protocol):
    """An open binary file, or what reads like one."""

    def read(self, size: int, /) -> bytes: ...


def too_large(label: str, what: str) -> InputImageError:
    """The error for a picture of ``what`` (its size in words)."""
    return InputImageError(
        f"{label} is too large ({what}; the limit is {MAX_PIXELS / 1e6:.0f} megapixels and "
        f"{MAX_BYTES // 2**20} MiB)",
        "Reduce it first.",
    )


def is_address(name: str) -> bool:
    """Whether a name is that of something on the net (or ``file:``, ``data:``), not of a file."""
    return _ADDRESS.match(name) is not None and not os.path.lexists(name)


def read_bytes(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | Readable, label: str
) -> bytes:
    """All bytes of a file, at most :data:`MAX_BYTES`.

    Raises:
        InputImageError: not there, not readable, a folder or a device, too large, or of a type that holds no
            bytes.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        if memoryview(source).nbytes > MAX_BYTES:
            raise too_large(label, f"{memoryview(source).nbytes / 2**20:.0f} MiB")
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        return _read_path(source, label)
    if not callable(getattr(source, "read", None)):
        raise InputImageError(
            f"{label} is a {type(source).__name__}, not a picture",
            "Give a path, the bytes of a file, an open file, a Pillow image or a numpy array.",
        )
    try:
        data = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: the file is closed, or holds text that is no UTF-8
        raise InputImageError(
            f"{label} cannot be read: {error}", "Open it for reading, in binary mode."
        ) from error
    if not isinstance(data, (bytes, bytearray)):
        raise InputImageError(f"{label} was opened as text", "Open it in binary mode.")
    if len(data) > MAX_BYTES:
        raise too_large(label, f"more than {MAX_BYTES // 2**20} MiB")
    return bytes(data)


def _read_path(source: str | os.PathLike[str], label: str) -> bytes:
    if not os.fspath(source):
        raise InputImageError("a picture's name is empty", "Name a file.")
    if isinstance(source, str) and is_address(source):
        raise InputImageError(
            f"{label} is an address, not a file", "Download the picture first, then name its file."
        )
    try:
        # A pipe is read as well (/dev/stdin, <(command)), but not waited for while nobody writes to it.
        handle = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise InputImageError(
                    f"{label} is no ordinary file", "Name a picture file, not a folder or a device."
                )
            if stat.S_ISFIFO(status.st_mode) and hasattr(os, "set_blocking"):
                os.set_blocking(handle, True)  # its writer may take its time
            data = file.read(MAX_BYTES + 1) if status.st_size <= MAX_BYTES else None
    except FileNotFoundError:
        raise InputImageError(f"{label} does not exist", "Check the path.") from None
    except IsADirectoryError:
        raise InputImageError(f"{label} is a folder, not a picture", "Name a picture file.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        why = getattr(error, "strerror", None) or error
        raise InputImageError(f"{label} cannot be read: {why}", "Check the path and its rights.") from error
    if data is None or len(data) > MAX_BYTES:
        raise too_large(
            label,
            f"{status.st_size / 2**20:.0f} MiB" if data is None else f"more than {MAX_BYTES // 2**20} MiB",
        )
    return data
