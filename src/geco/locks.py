"""One writer a folder: a lock that the system drops when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geco.errors import GecoError, OutputError

FILE = "lock"


def lock_folder(folder: Path, what: Path | None = None, name: str = FILE) -> IO[bytes]:
    """The held lock; keep the result as long as the folder is written, close it to let go.

    Args:
        folder: where the lock's file lies; made if it is not there.
        what: what the error calls it; the folder itself if left out.
        name: of the lock's file.

    Raises:
        OutputError: another process holds it, or the folder cannot be made or written.
    """
    shown = folder if what is None else what
    stream: IO[bytes] | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / name).open("ab")
        _hold(stream)
    except BlockingIOError as error:
        assert stream is not None
        stream.close()
        raise OutputError(f"another run is writing {shown}", "Wait for it, or choose another folder with -o.") from error
    except OSError as error:
        raise OutputError(f"cannot write {shown}: {error.strerror or error}", "Choose another folder with -o.") from error
    return stream


@contextlib.contextmanager
def locked(folder: Path, name: str = FILE, error: type[GecoError] = OutputError) -> Iterator[None]:
    """Hold the folder's lock for a while; errors as :func:`lock_folder`, of another type where that is wanted."""
    try:
        stream = lock_folder(folder, name=name)
    except OutputError as failure:
        raise error(failure.problem, failure.remedy) from failure
    with stream:
        yield


def _hold(stream: IO[bytes]) -> None:
    """Take the lock or raise BlockingIOError; where a network file system has no locks, go on without."""
    try:
        import fcntl
    except ImportError:
        _hold_on_windows(stream)
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _hold_on_windows(stream: IO[bytes]) -> None:
    try:
        import msvcrt
    except ImportError:  # neither Unix nor Windows
        return
    os.lseek(stream.fileno(), 0, os.SEEK_SET)
    try:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    except OSError as error:
        raise BlockingIOError(str(error)) from error
