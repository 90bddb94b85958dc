"""What may be written over: nothing that was read, nothing twice, nothing of others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from geco.errors import OutputError
from geco.files import LONGEST_NAME
from geco.marks import Mark, read_mark
from geco.outputs.places import Place, Places, file_number, real_file

MakesWay = Callable[[Path, Mark], bool]


class Guard:
    """The inputs of one run and the outputs claimed so far.

    Args:
        inputs: files that the run reads; whatever leads to one of them is never written over, not with
            ``overwrite`` either.
        overwrite: whether other files may be.
        known: whether a file that is there may be replaced without a look into it, for a manifest says whose
            it is.
    """

    def __init__(
        self,
        inputs: Iterable[Path],
        overwrite: bool = False,
        known: Callable[[Path], bool] = lambda path: False,
    ) -> None:
        self.overwrite, self.known = overwrite, known
        self.places = Places()
        self._inputs: dict[Place, Path] = {}
        self._numbers: dict[tuple[int, int], Path] = {}
        self._claimed: dict[Place, Path] = {}
        self._folders: dict[Place, Path] = {}
        self._above: dict[Path, list[Place]] = {}
        for path in inputs:
            for name in self._names(path):
                self._inputs.setdefault(self.places.of(name), path)
            if (number := file_number(path)) is not None:
                self._numbers.setdefault(number, path)

    def input_at(self, path: Path) -> Path | None:
        """The input that a path leads to, by whatever name: another case or form of it, a link."""
        places = (self.places.of(name) for name in self._names(path))
        found = next((self._inputs[place] for place in places if place in self._inputs), None)
        if found is None and (number := file_number(path)) is not None:
            found = self._numbers.get(number)
        return found

    def claim(self, path: Path, makes_way: MakesWay | None = None) -> None:
        """Reserve a path for an output of this run.

        Args:
            path: not there yet, or a file that may be replaced.
            makes_way: whether a file of ours, with its mark, is plainly an earlier result of the same input.

        Raises:
            OutputError: it is an input, another output, a folder, a file of others; its name is too long, or
                its folder cannot be written.
        """
        if (found := self.input_at(path)) is not None:
            raise _is_input(path, found)
        # A link is written through (geco.files), so where it leads is claimed with it.
        for place in {self.places.of(name) for name in self._names(path)}:
            if (other := self._claimed.get(place) or self._folders.get(place)) is not None:
                raise OutputError(
                    f"{path} would be written twice (for {other} too)", "Give the outputs different names."
                )
            self._claimed[place] = path
        above = self._places_above(path.parent)
        if (
            other := next((self._claimed[folder] for folder in above if folder in self._claimed), None)
        ) is not None:
            raise OutputError(
                f"{path} needs a folder where the file {other} will be", "Give the outputs different names."
            )
        for place in above:
            self._folders.setdefault(place, path)
        self.check(path, makes_way)

    def check(self, path: Path, makes_way: MakesWay | None = None) -> None:
        """Raise OutputError where a claimed path holds something of others (again just before the
        writing).
        """
        if long := next((part for part in path.parts if len(os.fsencode(part)) > LONGEST_NAME), None):
            raise OutputError(
                f"the name {long[:40]}… is too long for a file", "Choose a shorter one with -o."
            )
        if (found := self.input_at(path)) is not None:
            raise _is_input(path, found)
        if not os.path.lexists(path):
            return
        if os.path.exists(path) and not path.is_file():
            what = "a folder" if path.is_dir() else "no ordinary file"
            raise OutputError(f"cannot write {path}: it is {what}", "Choose another output path.")
        if self.overwrite or self.known(path):
            return
        mark = read_mark(path)
        if mark is None:
            raise OutputError(f"{path} is there already and is not a result of GECO", _REMEDY)
        if makes_way is not None and not makes_way(path, mark):
            raise OutputError(f"{path} is there already and was made from {mark.shown}", _REMEDY)

    @staticmethod
    def _names(path: Path) -> tuple[Path, ...]:
        """A path, and where it leads if that is elsewhere."""
        real = real_file(path)
        return (path,) if real is path else (path, real)

    def _places_above(self, folder: Path) -> list[Place]:
        """Of a folder and all above it. It is looked at once, however many files a plan has in it.

        Raises:
            OutputError: it cannot be written.
        """
        if folder not in self._above:
            whole = folder.absolute()
            self._above[folder] = [self.places.of_folder(each) for each in (whole, *whole.parents)]
            check_folder_is_writable(folder)
        return self._above[folder]


_REMEDY = "Choose another name with -o, or replace it with --overwrite."


def check_file(
    path: Path, inputs: Sequence[Path] = (), makes_way: MakesWay | None = None, overwrite: bool = False
) -> None:
    """The rules of :class:`Guard` for the one file that a command writes; raises OutputError."""
    Guard(inputs, overwrite).claim(path, makes_way)


def check_folder(
    folder: Path, names: Iterable[str], is_ours: Callable[[Path], bool], overwrite: bool = False
) -> None:
    """Refuse a folder whose files of these names are not ours, before a command writes its own over them.

    Args:
        folder: that the command writes into.
        names: of the files that it writes there.
        is_ours: whether the folder is one that the same command made.

    Raises:
        OutputError: it holds such files of others, is no folder, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is not a folder", "Choose a folder with -o.")
    check_folder_is_writable(folder)
    if overwrite or not folder.is_dir():
        return
    there = [name for name in names if os.path.lexists(folder / name)]
    if there and not is_ours(folder):
        raise OutputError(
            f"{folder} holds {', '.join(there[:3])} that this command did not write",
            "Choose an empty folder with -o.",
        )


def check_folder_is_writable(folder: Path) -> None:
    """Raise OutputError for a folder that cannot be written; it is made only when something is written."""
    existing = folder.absolute()
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            f"cannot write into {folder}", "Choose another folder with -o, or change its permissions."
        )


def _is_input(path: Path, found: Path) -> OutputError:
    what = "is an input of this run" if found == path else f"is the input {found} of this run by another name"
    return OutputError(f"{path} {what} and will not be written over", "Choose another output path.")
