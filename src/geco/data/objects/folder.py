"""Reading files that a file names, only from its own folder and only so many bytes."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason


class Folder:
    """What one object may read.

    Args:
        root: nothing outside this folder is opened, links followed.
        name: of the object, for messages.
        search: a file that is not where it is named may lie anywhere else in ``root``, found by its name (archives that were
            packed in pieces, as those of Google Scanned Objects).
    """

    def __init__(self, root: Path, name: str, limits: Limits, search: bool = False) -> None:
        self.root, self.name, self.search = root, name, search
        self.limit = self.left = limits.file_bytes

    def find(self, uri: str, beside: Path, percent: bool = False) -> Path:
        """The file that ``uri`` means in a file of folder ``beside``.

        Args:
            percent: decode %20 and the like (glTF).

        Raises:
            ObjectError: unsafe-path, missing, or unsupported (another machine's address).
        """
        text = (unquote(uri) if percent else uri).replace("\\", "/")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text):
            raise ObjectError(Reason.UNSUPPORTED, f"{self.name}: names {_short(text)}, only files beside it are read")
        if "\0" in text or text.startswith("/") or re.match(r"[A-Za-z]:", text):
            raise ObjectError(Reason.UNSAFE_PATH, f"{self.name}: names the absolute path {_short(text)}", "Make it relative.")
        path = beside / PurePosixPath(text)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ObjectError(Reason.UNSAFE_PATH, f"{self.name}: names {_short(text)}, which is outside its folder")
        if path.is_file():
            return path
        if self.search:
            wanted = PurePosixPath(text).name.lower()
            matches = [each for each in sorted(self.root.rglob("*")) if each.name.lower() == wanted and each.is_file()]
            if len(matches) == 1:
                return matches[0]
        raise ObjectError(Reason.MISSING, f"{self.name}: names {_short(text)}, which is not there")

    def read(self, path: Path) -> bytes:
        """All bytes of a file; raises :class:`ObjectError` (too-large) beyond the limit for the whole object."""
        self.spend(path.stat().st_size)
        return path.read_bytes()

    def spend(self, count: int) -> None:
        """Take ``count`` bytes off what this object may still read."""
        self.left -= count
        if self.left < 0:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: more than {self.limit >> 20} MiB")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
