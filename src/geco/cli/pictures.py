"""Which pictures a command line means: files, folders of them, ``-`` for standard input; and what
was passed over.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from geco.errors import InputImageError
from geco.images.formats import HEIC, SNIFFED, SUFFIXES, has_heic, sniff
from geco.images.picture_bytes import MAX_BYTES, is_address
from geco.marks import Source, read_mark

if TYPE_CHECKING:
    from geco.images.load import Picture

STANDARD_INPUT = "-"
NAMED = 5  # files that a line of what was passed over names; the others are counted


@dataclass(frozen=True, slots=True)
class Given:
    """A picture that was asked for.

    Attributes:
        path: of the file; ``picture`` for standard input, so that what is made from it has a name.
        data: what came over standard input, else None.
        named: whether it stood on the command line itself, not in a folder given there.
    """

    path: Path
    data: bytes | None = None
    named: bool = True

    @property
    def label(self) -> str:
        """What messages call it."""
        return str(self.path) if self.data is None else "standard input"

    def source(self) -> str | Picture:
        """What the pipeline takes: the file's path, or what came over standard input, read;
        raises InputImageError.
        """
        if self.data is None:
            return str(self.path)
        from geco.images.load import load_picture

        return load_picture(self.data, name=self.label)


@dataclass
class Found:
    """Every picture in the order of the command line, those of a folder by name; and what a folder held
    beside them.

    Attributes:
        pictures: at least one.
        skipped: what was passed over, and why.
    """

    pictures: list[Given] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def note(self) -> str:
        """One line that counts and names what was passed over; empty where nothing was."""
        if not self.skipped:
            return ""
        names = [f"{path.name} ({why})" for path, why in self.skipped[:NAMED]]
        more = [f"and {len(self.skipped) - NAMED} more"] if len(self.skipped) > NAMED else []
        count = len(self.skipped)
        return f"{count} {'entry' if count == 1 else 'entries'} passed over: {', '.join(names + more)}"


def find_pictures(sources: Sequence[str]) -> Found:
    """What the arguments mean. A file that is named is taken whatever it is; in a folder a picture is known
    by its first bytes, or by a picture's suffix (then reading it says what is wrong with it). Hidden files
    are left alone.

    Args:
        sources: as they stand on the command line.

    Raises:
        InputImageError: an empty name, an address, a folder without pictures or that cannot be read, standard
            input that is a terminal or empty or named twice.
    """
    found = Found()
    for source in sources:
        if source == STANDARD_INPUT:
            if any(given.data is not None for given in found.pictures):
                raise InputImageError(
                    "- (standard input) is named twice", "It holds one picture: name it once."
                )
            found.pictures.append(Given(Path("picture"), _standard_input()))
        elif not source.strip():
            raise InputImageError(
                "a picture's name is empty", "Is a variable of the shell unset? Name a file or a folder."
            )
        elif os.path.isdir(source):
            _look_into(Path(source), found)
        elif is_address(source):
            raise InputImageError(
                f"{source} is an address, not a file", "Download the picture first, then name its file."
            )
        else:
            found.pictures.append(Given(Path(source)))
    _pass_over_own_results(found)
    return found


def _pass_over_own_results(found: Found) -> None:
    """``geco run *.png`` a second time names what the first wrote as well: a result whose own picture is
    there is none.

    A result that is named without its picture is meant, and stays.
    """
    names = [Source(given.path.name) for given in found.pictures if given.data is None]
    for given in list(found.pictures):
        mark = (
            read_mark(given.path) if given.named and given.data is None and len(found.pictures) > 1 else None
        )
        if mark is not None and any(mark.names(source) for source in names if source.name != given.path.name):
            found.pictures.remove(given)
            found.skipped.append((given.path, "written by GECO"))


def _look_into(folder: Path, found: Found) -> None:
    try:
        names = sorted((name for name in os.listdir(folder) if name[0] != "."), key=os.path.normcase)
    except OSError as error:
        raise InputImageError(
            f"the folder {folder} cannot be read: {error.strerror}", "Check its rights."
        ) from error
    before = Found()
    for path in map(folder.joinpath, names):
        why = _reason_to_skip(path)
        if why is None:
            before.pictures.append(Given(path, named=False))
        else:
            before.skipped.append((path, why))
    if not before.pictures:
        raise InputImageError(
            f"the folder {folder} holds no picture" + (f" ({before.note()})" if before.skipped else ""),
            "Pictures are looked for directly in the folder, not in those below it.",
        )
    found.pictures += before.pictures
    found.skipped += before.skipped


def _reason_to_skip(path: Path) -> str | None:
    """None for a picture."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "a folder"
        if not stat.S_ISREG(mode):
            return "no ordinary file"
        with path.open("rb") as file:
            kind = sniff(file.read(SNIFFED))
    except OSError as error:
        # A picture's name is reason enough to try it, and to say why it cannot be read.
        return None if path.suffix.lower() in SUFFIXES else f"cannot be read: {error.strerror}"
    if kind is HEIC and not has_heic():
        return "HEIC, needs pip install 'geco3d[heic]'"
    if kind is None and path.suffix.lower() not in SUFFIXES:
        return "no picture"
    return "written by GECO" if read_mark(path) is not None else None


def _standard_input() -> bytes:
    """Raises InputImageError: nobody writes to it, nothing came, or too much."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise InputImageError(
            "- reads a picture from standard input, and nothing writes to it", "Use: geco run - < photo.png"
        )
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputImageError(
            f"standard input cannot be read: {error.strerror}", "Use: geco run - < photo.png"
        ) from error
    if not data:
        raise InputImageError("standard input is empty", "Did the command before the pipe fail?")
    if len(data) > MAX_BYTES:
        raise InputImageError(
            f"standard input is too large (the limit is {MAX_BYTES // 2**20} MiB)", "Reduce it first."
        )
    return data
