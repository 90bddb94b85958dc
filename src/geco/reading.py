"""Files read only where they are files, and no larger than they may be."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from geco.errors import GecoError


def read_regular(path: str | os.PathLike[str], most: int, error: type[GecoError]) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes. A pipe or a device is not opened for reading,
    only refused.

    Raises:
        error: not there, no regular file (a folder, pipe, device, socket), too large, or unreadable.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its writer, for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise error(
                    f"{os.fspath(path)} is no ordinary file", "Give a file, not a folder, a pipe or a device."
                )
            data = None
            if status.st_size <= most:
                # read(n) takes memory for n bytes, however few there are
                data = file.read(status.st_size + 1)
                # it grows, or is one of the system's that do not say their size
                if len(data) > status.st_size:
                    data += file.read(most + 1 - len(data))
    except FileNotFoundError:
        raise error(f"{os.fspath(path)} does not exist", "Check the path.") from None
    except IsADirectoryError:
        raise error(f"{os.fspath(path)} is a folder, not a file", "Name a file.") from None
    except (OSError, ValueError) as failure:  # ValueError: a NUL character in the name
        why = getattr(failure, "strerror", None) or failure
        raise error(f"{os.fspath(path)} cannot be read: {why}", "Check the path and its rights.") from failure
    if data is None or len(data) > most:
        raise error(
            f"{os.fspath(path)} is too large (the limit is {most / 2**20:.0f} MiB)", "Is it the right file?"
        )
    return data


def regular_size(
    path: str | os.PathLike[str], error: type[GecoError], remedy: str = "Check the path."
) -> int:
    """Bytes of a regular file, or of the one that a link leads to. Nothing is opened.

    Raises:
        error: not there, no regular file (a folder, pipe, device, socket), or not to be asked.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise error(f"{os.fspath(path)} is missing", remedy) from None
    except (OSError, ValueError) as failure:  # ValueError: a NUL character in the name
        why = getattr(failure, "strerror", None) or failure
        raise error(f"{os.fspath(path)} cannot be read: {why}", remedy) from failure
    if not stat.S_ISREG(status.st_mode):
        raise error(
            f"{os.fspath(path)} is no ordinary file", "A file is needed there, no folder, pipe or device."
        )
    return status.st_size


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()
