"""Where an object's files lie: a folder of the disk or a zip archive, asked by names below their root.

Names have forward slashes and no ``.`` or ``..``; the root itself is "". Nothing of an archive is ever
unpacked.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol


class Storage(Protocol):
    """Files by name."""

    def is_file(self, name: str) -> bool:
        """Whether a regular file of that name is there."""

    def is_inside(self, name: str) -> bool:
        """Whether the name leads to nothing outside, links followed."""

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def stored(self, name: str) -> int:
        """Bytes that a file takes where it lies: fewer than :meth:`size` where it is compressed."""

    def open(self, name: str) -> BinaryIO:
        """A seekable stream."""

    def entries(self, folder: str) -> dict[str, bool]:
        """Names in a folder, in order, and whether each is a folder; hidden ones left out."""


class Disk:
    """A folder.

    Args:
        root: the folder that was given.
        links: further folders that links may lead into.
        most: entries of one folder; a larger one counts as empty for searches.
    """

    def __init__(self, root: Path, links: Sequence[Path] = (), most: int = 10_000) -> None:
        self.root, self.most = root, most
        self.grounds = [place.resolve() for place in (root, *links)]

    def is_file(self, name: str) -> bool:
        return is_regular(self.root / name)

    def is_inside(self, name: str) -> bool:
        return is_below(self.root / name, self.grounds)

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    stored = size

    def open(self, name: str) -> BinaryIO:
        # Without O_NONBLOCK the opening of a pipe that came there meanwhile would wait for its writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.root / name, flags), "rb")

    def entries(self, folder: str) -> dict[str, bool]:
        try:
            with os.scandir(self.root / folder) as scan:
                found = list(itertools.islice(scan, self.most + 1))
            if len(found) > self.most:
                return {}
            names = {each.name: self._is_folder(each) for each in found if not is_hidden(each.name)}
        except OSError:
            return {}
        return dict(sorted(names.items()))

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        if entry.is_symlink():
            return entry.is_dir() and is_below(Path(entry.path), self.grounds)
        return entry.is_dir()


def is_regular(path: Path) -> bool:
    """Whether a regular file is there, links followed; False for pipes, devices, loops, and names
    that cannot be.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # too long a name; a NUL character in it
        return False


def is_below(path: Path, grounds: Sequence[Path]) -> bool:
    """Whether a path leads into one of these folders (resolved), its links followed."""
    try:
        target = path.resolve()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        return False
    return any(target.is_relative_to(ground) for ground in grounds)


def is_hidden(name: str) -> bool:
    """Names that no object and no texture has: hidden files and what macOS and Windows leave."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db")
