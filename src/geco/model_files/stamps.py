"""Which large files were found whole before: a SHA-256 is taken once, not at every start.

A gigabyte takes about a second to hash, a full model has five. After a file was hashed, a note in the user's
cache says of which size, times, inode and device it was; as long as all of these are the same it is not
hashed again. Any write, copy, move or restore of the file changes one of them, so such a file is hashed as if
it were new. (A program cannot set the change time back. Windows tells the time of creation in its place: a
write there stays hidden if it keeps the size and sets the time of writing back.) What no file system tells, a
disk that forgets, is found at the latest after :data:`DAYS`, and at once by ``geco get NAME`` and by
training.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from geco.errors import GecoError, WeightsError
from geco.files import atomic_write
from geco.model_files.cache import user_cache
from geco.reading import sha256_of

LARGE = 64 * 2**20  # bytes; what is smaller is hashed in a tenth of a second
DAYS = 30.0  # after which a note is no longer believed
SETTLED = 1.0  # seconds since the last change, within which a further one might leave the times as they are


def whole_digest(path: Path, fresh: bool = False) -> str:
    """SHA-256 of a file, from its note where that still holds.

    Args:
        fresh: read the file in any case.
    """
    before = _state(path)
    if before["bytes"] < LARGE:
        return sha256_of(path)
    if not fresh and (known := _noted(path, before)):
        return known
    digest = sha256_of(path)
    if before == _state(path) and time.time() - before["changed"] / 1e9 > SETTLED:
        _note(path, {**before, "sha256": digest})
    return digest


def refresh(folder: Path) -> None:
    """Hash the large weights of a folder now, so that whoever reads them next knows what is there today."""
    for path in sorted(folder.rglob("*.safetensors")):
        if path.is_file() and path.stat().st_size >= LARGE:
            whole_digest(path, fresh=True)


def _noted(path: Path, state: dict[str, Any]) -> str | None:
    """The digest in a file's note; None without one, or where anything about the file has changed."""
    try:
        place = _place(path)
        if time.time() - place.stat().st_mtime > DAYS * 86_400:
            return None
        note = json.loads(place.read_bytes())
        digest = note.pop("sha256")
        return digest if note == state and isinstance(digest, str) else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError, WeightsError):
        return None  # no note, none that can be read, no home


def _note(path: Path, note: dict[str, Any]) -> None:
    # a cache that cannot be written is a slower start, and no failure
    with contextlib.suppress(GecoError, OSError):
        atomic_write(_place(path), json.dumps(note).encode())


def _place(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()
    return user_cache() / "checked" / f"{name[:32]}.json"


def _state(path: Path) -> dict[str, Any]:
    found = os.stat(path)
    return {
        "bytes": found.st_size,
        "written": found.st_mtime_ns,
        "changed": found.st_ctime_ns,
        "inode": found.st_ino,
        "device": found.st_dev,
    }
