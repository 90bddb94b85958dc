"""One writer a folder: a lock that the system drops when its holder dies, however it dies."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from geco.errors import OutputError


def lock_folder(folder: Path) -> IO[bytes]:
    """The held lock; keep the result as long as the folder is written.

    Raises:
        OutputError: another process holds it. OSError: the file cannot be made.
    """
    stream = (folder / "lock").open("wb")
    try:
        import fcntl
    except ImportError:  # Windows has no such locks; two runs into one folder are then the user's care
        return stream
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"another run is writing {folder.parent}", "Wait for it, or choose another folder with -o.") from error
    except OSError:
        pass  # a network file system without locks
    return stream
