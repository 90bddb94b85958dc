"""When two paths are one place: looked at through links, case and Unicode forms, file or no file."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

# A folder that exists, by device and number, and the names below it that do not exist yet.
Place = tuple[int, int, tuple[str, ...]]


class Places:
    """Places of paths; folders are looked up once, so a plan of thousands of files costs few system calls."""

    def __init__(self) -> None:
        self._folders: dict[str, Place] = {}

    def of(self, path: Path) -> Place:
        """The place of a file: its folder's, and its name without regard to case and Unicode form.

        So ``Cat.glb`` and ``cat.glb`` are one place on every system: a folder may be copied to one that takes
        them for one.
        """
        folder, name = os.path.split(os.fspath(path))
        device, number, below = self.of_folder(folder)
        return device, number, (*below, folded(name))

    def of_folder(self, folder: str | os.PathLike[str]) -> Place:
        """The place of a folder, which need not exist."""
        given = os.fspath(folder)
        if (found := self._folders.get(given)) is not None:
            return found
        place = self._folders[given] = self._looked_up(os.path.abspath(given))
        return place

    def _looked_up(self, name: str) -> Place:
        if name not in self._folders:
            try:
                status = os.stat(name)
                self._folders[name] = status.st_dev, status.st_ino, ()
            except (OSError, ValueError):
                above, last = os.path.split(name)
                if above == name:
                    return 0, 0, ()
                device, number, below = self.of_folder(above)
                self._folders[name] = device, number, (*below, folded(last))
        return self._folders[name]


def folded(name: str) -> str:
    """A name without regard to case and Unicode form."""
    if name.isascii():  # most are, and a plan has many
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def file_number(path: Path) -> tuple[int, int] | None:
    """Device and number of the file that a path leads to: the same for every name of one file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None  # 0: a file system without numbers


def real_file(path: Path) -> Path:
    """Where a path leads, if it is a link or turns back on its way (``link/../cat.glb``); else itself."""
    try:
        if not os.path.islink(path) and ".." not in path.parts:
            return path
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return path
