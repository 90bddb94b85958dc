"""Finding a file by its name alone, within the ground that belongs to one object.

Textures are often not where they are named: collections are unpacked or packed in pieces
(``materials/textures/`` of Google Scanned Objects), materials name places of the machine they were made on
(``C:\\work\\wood.png``). An object's ground is its folder and the folders above it up to, and without, the
first that holds another object elsewhere; below its own folder, subfolders with objects of their own are
theirs. The nearest match is taken; of several, the one whose folders are most like those of the name.
"""

from __future__ import annotations

from collections.abc import Iterator

from geco.data.objects.names import comparable, parent
from geco.data.objects.storage import Storage

DEEPEST = 32  # levels of folders that are searched

Index = dict[str, list[str]]  # comparable name of a file -> its whole names


class Ground:
    """The ground of one object, listed once, level by level, as far as it is needed.

    Args:
        home: the object's folder.
        suffixes: what makes a file an object.
        most: files listed in all; what lies beyond is not found.
    """

    def __init__(self, storage: Storage, home: str, suffixes: tuple[str, ...], most: int) -> None:
        self.storage, self.home, self.suffixes, self.left = storage, home, suffixes, most
        self._levels: list[Index] = []
        self._coming = self._listed()

    def search(self, name: str) -> str | None:
        """The file that ``name`` (of any folders) most likely means, or None: not there, or not
        told apart.
        """
        wanted = [comparable(part) for part in name.split("/") if part not in ("", ".", "..")]
        if not wanted:
            return None
        for level in self._all_levels():
            if matches := level.get(wanted[-1]):
                return _likeliest(matches, wanted)
        return None

    def _all_levels(self) -> Iterator[Index]:
        yield from self._levels
        for level in self._coming:
            self._levels.append(level)
            yield level

    def _listed(self) -> Iterator[Index]:
        folder, below, index = self.home, None, {}  # type: str, str | None, Index
        for name, is_folder in self.storage.entries(folder).items():
            place = f"{folder}/{name}".lstrip("/")
            if not is_folder:
                self._add(index, place)
            elif (inside := self._files(place, None)) is not None:
                for each in inside:
                    self._add(index, each)
        yield index
        while folder:
            below, folder = folder, parent(folder)
            files = self._files(folder, below)
            if files is None:
                return
            index = {}
            for each in files:
                self._add(index, each)
            yield index

    def _files(self, folder: str, but: str | None) -> list[str] | None:
        """Files of a folder and those below, ``but`` one of them; None where an object is among them."""
        found, stack = [], [(folder, 0)]
        while stack and self.left > 0:
            place, depth = stack.pop()
            for name, is_folder in self.storage.entries(place).items():
                each = f"{place}/{name}".lstrip("/")
                self.left -= 1
                if is_folder:
                    if each != but and depth < DEEPEST:
                        stack.append((each, depth + 1))
                elif name.lower().endswith(self.suffixes):
                    return None
                else:
                    found.append(each)
        return found

    def _add(self, index: Index, name: str) -> None:
        if self.storage.is_file(name) and self.storage.is_inside(name):
            index.setdefault(comparable(name.rpartition("/")[2]), []).append(name)


def _likeliest(matches: list[str], wanted: list[str]) -> str | None:
    def rank(name: str) -> tuple[int, int]:
        parts = [comparable(part) for part in name.split("/")]
        alike = 0
        for ours, theirs in zip(reversed(parts), reversed(wanted)):
            if ours != theirs:
                break
            alike += 1
        return -alike, len(parts)

    ranked = sorted(matches, key=rank)
    if len(ranked) > 1 and rank(ranked[0]) == rank(ranked[1]):
        return None
    return ranked[0]
