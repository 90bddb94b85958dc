"""One writer a folder: a lock that the system drops when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from geco.errors import GecoError, OutputError

FILE = "lock"
LOCK = ".lock"  # where the folder is one that people look into


class HeldError(OutputError):
    """Another process holds the lock."""


def lock_folder(folder: Path, what: Path | None = None, name: str = FILE) -> IO[bytes]:
    """The held lock; keep the result as long as the folder is written, close it to let go.

    Args:
        folder: where the lock's file lies; made if it is not there.
        what: what the error calls it; the folder itself if left out.
        name: of the lock's file.

    Raises:
        HeldError: another process holds it. OutputError: the folder cannot be made or written.
    """
    shown = folder if what is None else what
    path = folder / name
    while True:
        stream: IO[bytes] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = path.open("ab")
            _hold(stream)
            if _is_still(path, stream):
                return stream
            stream.close()  # its holder has just removed it
        except BlockingIOError as error:
            assert stream is not None
            stream.close()
            raise HeldError(
                f"another run is writing {shown}", "Wait for it, or choose another folder with -o."
            ) from error
        except OSError as error:
            problem = f"cannot write {shown}: {error.strerror or error}"
            raise OutputError(problem, "Choose another folder with -o.") from error


@contextlib.contextmanager
def locked(folder: Path, name: str = FILE, error: type[GecoError] = OutputError) -> Iterator[None]:
    """Hold the folder's lock for a while, and leave no file of it, nor the folder where it was made for this
    and the work has failed before anything was in it; errors as :func:`lock_folder`, of another type where
    that is wanted.
    """
    new = not folder.exists()
    try:
        with _held(folder, name, error):
            yield
    except BaseException:
        if new:
            with contextlib.suppress(OSError):  # not empty: what is there stays
                folder.rmdir()
        raise


@contextlib.contextmanager
def _held(folder: Path, name: str, error: type[GecoError]) -> Iterator[None]:
    try:
        stream = lock_folder(folder, name=name)
    except OutputError as failure:
        if error is OutputError:
            raise
        raise error(failure.problem, failure.remedy) from failure
    with stream:
        try:
            yield
        finally:
            if sys.platform != "win32":
                _remove(folder / name)
    if sys.platform == "win32":  # an open file cannot be removed there, one that another has opened neither
        _remove(folder / name)


def _is_still(path: Path, stream: IO[bytes]) -> bool:
    """Whether the path is of the file that is open; a lock on a file without a name would exclude nobody."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


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
