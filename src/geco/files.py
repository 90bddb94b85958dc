"""Files: written whole or not at all, and what a killed run left is swept.

A file is written under a hidden name in its own folder and then renamed. That name says which process writes
it, and the process holds a lock on it, so the next run can tell a leftover from a file that is being written
(:func:`sweep`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from geco.errors import GecoError, OutputError

LONGEST_NAME = 255  # bytes of a file's name on ext4, XFS, APFS (NTFS: as many UTF-16 units)
ABANDONED = 86_400.0  # seconds after which a hidden file whose writer cannot be asked for is a leftover
_HIDDEN = re.compile(r"^\..*-(\d+)\.[0-9a-f]{8}\.part(\.[^.]*)?$", re.DOTALL)
# What torch, safetensors and ONNX Runtime raise where the operating system refuses to write: no OSError, only
# a text.
_WRITE_FAILED = re.compile(
    r"PytorchStreamWriter|inline_container|iostream error|I/O error|IoError|os error \d+|cannot be opened"
    r"|Parent directory .* does not exist|Protobuf serialization failed",
    re.IGNORECASE,
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffix); rename it to ``path`` on success, delete it on
    failure.

    A file that is there keeps its rights, and its owner where that is possible; write-protected ones are not
    replaced. A symbolic link stays one: what it points to becomes new, as ``open`` would have it.

    Raises:
        OutputError: the folder cannot be made or written, or the disk is full; also where torch or
            safetensors say so.
    """
    target = Path(path)
    temporary: Path | None = None
    handle: int | None = None
    try:
        with writing(target):
            target = _end_of_links(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            before = _status(target)
            temporary, handle = _hidden_beside(target, before)
            yield temporary
            if before is not None:
                _like(handle, before)
            os.close(handle)
            handle = None  # Windows renames no open file
            os.replace(temporary, target)
    finally:
        if handle is not None:
            os.close(handle)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the system, torch or safetensors will not write becomes an :class:`OutputError` that
    names ``path``.
    """
    try:
        yield
    except GecoError:
        raise
    except Exception as error:
        if not is_write_failure(error):
            raise
        first = next(iter(str(error).splitlines()), type(error).__name__)
        why = error.strerror if isinstance(error, OSError) and error.strerror else first
        advice = "Choose another output path, or free some space."
        raise OutputError(f"cannot write {os.fspath(path)}: {why}", advice) from error


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all; raises :class:`OutputError`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def is_write_failure(error: BaseException) -> bool:
    """Whether ``error`` says that the operating system would not write: an OSError, or torch's,
    safetensors' and ONNX Runtime's own.
    """
    if isinstance(error, OSError):
        return True
    return (
        type(error).__name__ in ("RuntimeError", "SafetensorError", "InvalidProtobuf")
        and _WRITE_FAILED.search(str(error)) is not None
    )


def sweep(folder: str | os.PathLike[str], most: int | None = None) -> int:
    """Delete what killed processes left of :func:`atomic_path` in ``folder`` (not below it); how many files
    that were.

    A file that a living process writes stays: it holds the file's lock, or is there under the number in the
    name.

    Args:
        most: entries of the folder that are looked at; None: all, a second for a million.
    """
    swept = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, most):
            found = _HIDDEN.match(entry.name)
            with contextlib.suppress(OSError):  # another user's, or gone meanwhile
                if found and entry.is_file(follow_symlinks=False) and _is_abandoned(entry, int(found[1])):
                    os.unlink(entry.path)
                    swept += 1
    return swept


def is_leftover(name: str) -> bool:
    """Whether a file of this name is half of one, of a writer that was killed or is still at it."""
    return _HIDDEN.match(name) is not None


def sweep_below(folder: str | os.PathLike[str]) -> int:
    """:func:`sweep` of the folder and all folders in it: for folders that are ours, not for a user's home."""
    return sum(sweep(place) for place, _, _ in os.walk(folder))


def _hidden_beside(target: Path, before: os.stat_result | None) -> tuple[Path, int]:
    """A new, empty, locked file in the target's folder: with the rights that any new file of this process
    has, and for others no more than the file has that it shall replace.
    """
    tail = f"-{os.getpid()}.{secrets.token_hex(4)}.part{target.suffix}"
    stem = os.fsencode(target.stem)[: max(LONGEST_NAME - 1 - len(os.fsencode(tail)), 0)]
    temporary = target.with_name("." + os.fsdecode(stem) + tail)
    # 0o666 less the umask, which the system applies: mkstemp's files are private, results should not be.
    mode = 0o666 if before is None else before.st_mode & 0o066 | 0o600
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    _lock(handle)
    return temporary, handle


def _end_of_links(target: Path) -> Path:
    """Where a symbolic link leads; its folder is swept, as nobody else may ever write there."""
    if not target.is_symlink():
        return target
    end = Path(os.path.realpath(target))
    sweep(end.parent)
    return end


def _status(target: Path) -> os.stat_result | None:
    """Of the file that will be replaced; PermissionError where it is write-protected, None where
    there is none.
    """
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", str(target))
    return status


def _like(handle: int, before: os.stat_result) -> None:
    """Give the new file the owner and the rights of the old one; where the group cannot be kept, its rights
    are not given to another.
    """
    if not hasattr(os, "fchown"):  # Windows
        return
    mode, now = stat.S_IMODE(before.st_mode) & 0o777, os.fstat(handle)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(handle, before.st_uid, before.st_gid)
        except OSError:
            try:
                os.fchown(handle, -1, before.st_gid)
            except OSError:
                mode = mode & ~0o070 | (mode & 0o007) << 3 & mode
    os.fchmod(handle, mode)


def _is_abandoned(entry: os.DirEntry[str], process: int) -> bool:
    import time

    old = time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
    if sys.platform == "win32":
        return old or not is_alive(
            process, unasked=False
        )  # a file that is still open cannot be deleted there
    handle = os.open(entry.path, os.O_RDWR)
    try:
        free = _lock(handle)
        return old if free is None else free and (old or not is_alive(process, unasked=False))
    finally:
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Whether this process now holds the file's lock; None where the file system or the platform has none."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_alive(process: int, unasked: bool) -> bool:
    """Whether a process of this machine still runs; ``unasked`` on Windows, where to ask would end it."""
    if sys.platform == "win32":
        return unasked
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
