"""Files: written whole or not at all, read only where they are files, and what a killed run left is swept.

A file is written under a hidden name in its own folder and then renamed. That name says which process writes it, and
the process holds a lock on it, so the next run can tell a leftover from a file that is being written (:func:`sweep`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from geco.errors import GecoError, OutputError

LONGEST_NAME = 255  # bytes of a file's name on ext4, XFS, APFS (NTFS: as many UTF-16 units)
ABANDONED = 86_400.0  # seconds after which a hidden file whose writer cannot be asked for is a leftover
_HIDDEN = re.compile(r"^\..*-(\d+)\.[0-9a-f]{8}\.part(\.[^.]*)?$", re.DOTALL)
# What torch and safetensors raise where the operating system refuses to write: no OSError, only a text.
_WRITE_FAILED = re.compile(r"PytorchStreamWriter|inline_container|iostream error|I/O error|IoError|os error \d+", re.IGNORECASE)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffix); rename it to ``path`` on success, delete it on failure.

    Raises:
        OutputError: the folder cannot be made or written, or the disk is full; also where torch or safetensors say so.
    """
    target = Path(path)
    temporary: Path | None = None
    handle: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, handle = _hidden_beside(target)
        yield temporary
        os.close(handle)
        handle = None  # Windows renames no open file
        os.replace(temporary, target)
    except GecoError:
        raise
    except Exception as error:
        if not is_write_failure(error):
            raise
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise OutputError(f"cannot write {target}: {why}", "Choose another output path, or free some space.") from error
    finally:
        if handle is not None:
            os.close(handle)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all; raises :class:`OutputError`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def is_write_failure(error: BaseException) -> bool:
    """Whether ``error`` says that the operating system would not write: an OSError, or torch's and safetensors' own."""
    if isinstance(error, OSError):
        return True
    return type(error).__name__ in ("RuntimeError", "SafetensorError") and _WRITE_FAILED.search(str(error)) is not None


def sweep(folder: str | os.PathLike[str]) -> int:
    """Delete what killed processes left of :func:`atomic_path` in ``folder`` (not below it); how many files that were.

    A file that a living process writes stays: it holds the file's lock, or is there under the number in the name.
    """
    swept = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _HIDDEN.match(entry.name)
            if found and entry.is_file(follow_symlinks=False) and _is_abandoned(entry, int(found[1])):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
                    swept += 1
    return swept


def read_regular(path: str | os.PathLike[str], most: int, error: type[GecoError]) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes. A pipe or a device is not opened for reading, only refused.

    Raises:
        error: not there, no regular file (a folder, pipe, device, socket), too large, or unreadable.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its writer, for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{os.fspath(path)} is no ordinary file", "Give a file, not a folder, a pipe or a device.")
            data = file.read(most + 1) if status.st_size <= most else None
    except FileNotFoundError:
        raise error(f"{os.fspath(path)} does not exist", "Check the path.") from None
    except IsADirectoryError:
        raise error(f"{os.fspath(path)} is a folder, not a file", "Name a file.") from None
    except (OSError, ValueError) as failure:  # ValueError: a NUL character in the name
        why = getattr(failure, "strerror", None) or failure
        raise error(f"{os.fspath(path)} cannot be read: {why}", "Check the path and its rights.") from failure
    if data is None or len(data) > most:
        raise error(f"{os.fspath(path)} is too large (the limit is {most / 2**20:.0f} MiB)", "Is it the right file?")
    return data


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def _hidden_beside(target: Path) -> tuple[Path, int]:
    """A new, empty, locked file in the target's folder, with the rights that any new file of this process has."""
    tail = f"-{os.getpid()}.{secrets.token_hex(4)}.part{target.suffix}"
    stem = os.fsencode(target.stem)[: max(LONGEST_NAME - 1 - len(os.fsencode(tail)), 0)]
    temporary = target.with_name("." + os.fsdecode(stem) + tail)
    # 0o666 less the umask, which the system applies: mkstemp's files are private, results should not be.
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    _lock(handle)
    return temporary, handle


def _is_abandoned(entry: os.DirEntry[str], process: int) -> bool:
    import time

    old = time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
    if sys.platform == "win32":
        return old or not _is_alive(process)  # a file that is still open cannot be deleted there
    handle = os.open(entry.path, os.O_RDWR)
    try:
        return _lock(handle) and (old or not _is_alive(process))
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether this process now holds the file's lock; True too where the file system or the platform has none."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return False  # os.kill would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
