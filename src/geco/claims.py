"""Work shared out over processes and machines that see one folder: a piece belongs to whoever's rename came
first, and to somebody else where its owner is gone.

    with Claims(folder) as claims:
        for name in names:
            if not is_done(name) and claims.take(name):
                make(name)
                claims.drop(name)

``folder/NAME/`` holds one file, whose name says who has the piece and whose time is its heartbeat. The folder
is made under another name and renamed into place, which fails where it is there already; a piece of a dead
owner is taken over by renaming the file, which one process alone can do. No clock is compared with another
machine's: a heartbeat is late when it has not moved for a while of our own time.

Claims save work, they guard nothing: a process that was stopped for a minute finds its piece in other hands.
So what is made must come into place whole, by a rename too, and be the same whoever made it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from geco.errors import OutputError
from geco.files import is_alive, writing

BEAT = 5.0  # seconds between two heartbeats
PATIENCE = 60.0  # seconds without one after which an owner counts as gone: of another machine, or hanging
_OWNER = re.compile(r"^(?P<host>[\w.]+)-(?P<process>\d+)-[0-9a-f]{8}$")


class Claims:
    """The claims of one process; use it as a context.

    Args:
        folder: where all claims of this work lie; made if it is not there, removed with the last claim.
        patience: seconds until a silent owner's piece is taken over. An owner on this machine whose process
            is gone is found at once.
        beat: seconds between two heartbeats of ours.

    Raises:
        OutputError: from :meth:`take`: the folder cannot be written.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE, beat: float = BEAT) -> None:
        self.folder, self.patience = folder, patience
        self._host = _host()
        self.owner = f"{self._host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._held: dict[str, Path] = {}
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}
        self._end = threading.Event()
        self._beats = threading.Thread(target=self._beat, args=(beat,), daemon=True)

    def __enter__(self) -> Claims:
        self._beats.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._beats.join()
        for name in list(self._held):
            self.drop(name)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def take(self, name: str) -> bool:
        """Whether the piece is ours now: it was nobody's, or its owner is gone."""
        place = self.folder / name
        with writing(place):
            if not place.is_dir() and self._put(place):
                self._held[name] = place / self.owner
                return True
        for other in _names(place):
            if other == self.owner:
                return True
            if self._is_gone(name, other):
                with contextlib.suppress(FileNotFoundError):  # somebody else was faster, or it is dropped
                    os.rename(place / other, place / self.owner)
                    os.utime(place / self.owner)
                    self._held[name] = place / self.owner
                    return True
        return False

    def drop(self, name: str) -> None:
        """Give the piece back: it is done, or another may try. Nothing happens where it is not ours."""
        held = self._held.pop(name, None)
        if held is not None:
            with contextlib.suppress(OSError):
                held.unlink()
                held.parent.rmdir()

    def others(self) -> int:
        """How many pieces other processes have, dead ones among them."""
        taken = [name for name in _names(self.folder) if not name.startswith(".")]
        return sum(name not in self._held for name in taken)

    def _put(self, place: Path) -> bool:
        """Make the claim's folder; False where it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / f".{place.name}.{self.owner}"
        ready.mkdir(exist_ok=True)
        (ready / self.owner).touch()
        try:
            os.rename(ready, place)
        except OSError as error:
            with contextlib.suppress(OSError):
                (ready / self.owner).unlink()
                ready.rmdir()
            if not place.is_dir():
                raise OutputError(
                    f"cannot claim {place}: {error.strerror or error}", "Choose another folder with -o."
                ) from error
            return False
        return True

    def _is_gone(self, name: str, other: str) -> bool:
        try:
            moved = os.stat(self.folder / name / other).st_mtime_ns
        except OSError:
            return False
        before, since = self._seen.get((name, other), (None, 0.0))
        if moved != before:
            since = time.monotonic()
            self._seen[name, other] = moved, since
        found = _OWNER.match(other)
        ours = found is not None and found["host"] == self._host
        if found is not None and ours and not is_alive(int(found["process"]), unasked=True):
            return True
        return time.monotonic() - since > self.patience

    def _beat(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            for path in list(self._held.values()):
                with contextlib.suppress(OSError):  # dropped meanwhile, or taken over
                    os.utime(path)


def _host() -> str:
    """A name of this machine, and within it of the space that its process numbers are of: containers have
    their own.
    """
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return re.sub(r"[^\w.]", "", f"{socket.gethostname()}.{space}")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
