"""Whether a file that is there is plainly an earlier result of the same picture."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Protocol

from geco.marks import Mark, Source, digest_of


class Picture(Protocol):
    """An input: a picture's file, or the bytes of standard input under a path that is no file."""

    @property
    def path(self) -> Path: ...

    @property
    def data(self) -> bytes | None: ...


class Origin:
    """What the results of one picture are made from.

    Args:
        picture: as it was given.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    @cached_property
    def source(self) -> Source:
        """The picture's name and bytes; the bytes are left out where they cannot be read."""
        data = self._picture.data
        if data is None:
            try:
                data = self._picture.path.read_bytes() if self._picture.path.is_file() else b""
            except OSError:
                data = b""
        return Source(self._picture.path.name, digest_of(data) if data else "")

    def may_replace(self, path: Path, mark: Mark) -> bool:
        """Whether the file of ours at ``path``, with this mark, is plainly an earlier result of the picture.

        It says the picture's name and its very bytes; in the picture's own folder the name is enough, as no
        other picture has it there (so a picture that was edited replaces its own result). Files of before
        there were marks count by their own name alone. A picture that cannot be read replaces nothing, and
        its own error is the one to show.
        """
        if mark.old or not self.source.digest:
            return True
        beside = self._picture.data is None and _same_folder(path, self._picture.path)
        return mark.names(self.source) if beside else mark.is_of(self.source)


def _same_folder(one: Path, other: Path) -> bool:
    return os.path.realpath(one.parent) == os.path.realpath(other.parent)
