"""Objects of folders: sorted, each with an identity of its own, and what the folder's manifest
says about it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from geco.data.objects.keys import below, unique_keys
from geco.data.objects.limits import Limits
from geco.data.objects.load import SUFFIXES, load_object
from geco.data.objects.manifest import MANIFEST, Facts, read_manifest
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Up
from geco.data.objects.storage import is_below, is_hidden, is_regular
from geco.data.objects.types import TexturedObject
from geco.reading import sha256_of


@dataclass(frozen=True)
class ObjectSource:
    """One object of a folder, not read yet.

    Attributes:
        key: unique among the objects found together, of letters, digits, ``_`` and ``-`` only: safe in file
            systems and tar archives.
        path: the file; it may be missing when only the manifest names it.
        root: the folder that was searched.
        licence, author, source, category: of the manifest, "" where it says nothing.
        sha256: hexadecimal, of the manifest; checked when the object is loaded.
        up: "y" or "z" where the manifest corrects the format's axis.
        links: further folders that links below ``root`` may lead into.
        problem: why it cannot be loaded, where that is known already.
        names: what it may be called elsewhere, most telling first: its path, its key, its file, the folders
            above it; a name that two objects of the folder share is neither's.
        twin: 0; 1, 2, … where earlier folders that were searched have an object at the same place.
    """

    key: str
    path: Path
    root: Path
    licence: str = ""
    author: str = ""
    source: str = ""
    category: str = ""
    sha256: str = ""
    up: Up | None = None
    links: tuple[Path, ...] = ()
    problem: ObjectError | None = None
    names: tuple[str, ...] = ()
    twin: int = 0

    @property
    def name(self) -> str:
        """The path below ``root`` with forward slashes."""
        return below(self.path, self.root)

    @property
    def identity(self) -> str:
        """What random numbers and the order of objects are drawn from: the path below the folder,
        whatever else is there.
        """
        return f"{self.name}#{self.twin}" if self.twin else self.name

    def load(self, limits: Limits | None = None, up: Up | None = None) -> TexturedObject:
        """The normalised object.

        Args:
            up: overrides the manifest's axis, which overrides the format's.

        Raises:
            ObjectError: as :func:`load_object`; also unsafe-path, missing, and changed where the sha256
                differs.
        """
        if self.problem is not None:
            raise self.problem
        limits = limits or Limits()
        inside = PurePosixPath(self.name)
        if inside.is_absolute() or ".." in inside.parts:
            raise ObjectError(
                Reason.UNSAFE_PATH, f"{MANIFEST} names {self.name[:80]}, which is outside its folder"
            )
        if self.sha256 and is_regular(self.path) and self.path.stat().st_size <= limits.file_bytes:
            try:
                found = sha256_of(self.path)
            except OSError as error:
                raise ObjectError(
                    Reason.MISSING, f"{self.path.name}: cannot be read ({error.strerror})"
                ) from error
            if found != self.sha256.lower():
                raise ObjectError(
                    Reason.CHANGED,
                    f"{self.path.name}: sha256 {found[:12]}…, its manifest says {self.sha256[:12]}…",
                )
        return load_object(self.path, limits, up or self.up, root=self.root, links=self.links)


def find_objects(folder: str | Path, links: Sequence[str | Path] = ()) -> list[ObjectSource]:
    """All objects in a folder and the folders below, sorted by key; hidden names are passed over.

    A key is the path below the folder without its ending, with anything but letters, digits, ``_`` and ``-``
    replaced by ``_``; objects whose paths differ by their endings only keep these, and what is alike still
    gets a hash behind it. A folder's ``manifest.json`` is ``{"objects": [{"file": ..., "licence": ...,
    "author": ..., "sha256": ..., "category": ..., "up": ...}]}``; files that it does not list are found all
    the same, files that it lists and that are not there are refused when they are loaded, and so is an object
    whose entry is wrong.

    Args:
        links: further folders that links may lead into. Links to other folders are not followed.

    Raises:
        ObjectError: missing (no such folder), or broken (a manifest of the folder itself that cannot be read;
            one of a folder below costs the objects there).
    """
    root = Path(folder)
    if not root.is_dir():
        raise ObjectError(Reason.MISSING, f"{root}: no such folder")
    allowed = tuple(Path(link).absolute() for link in links)
    facts: dict[Path, Facts] = {}

    def refuse(error: OSError) -> None:
        problem = ObjectError(
            Reason.MISSING, f"the folder {error.filename} cannot be read ({error.strerror})"
        )
        facts[Path(error.filename)] = Facts(problem=problem)

    places = [path.resolve() for path in (root, *allowed)] if allowed else []
    for place, files in _walked(root, places, refuse):
        said, problem = {}, None  # type: dict[Path, Facts], ObjectError | None
        if MANIFEST in files:
            try:
                said = read_manifest(place)
            except ObjectError as error:
                if place == root:
                    raise
                problem = error  # the licences of these objects are lost with it
        listed = set(said)
        for name in files:
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                said.setdefault(place / name, Facts(problem=problem))
        for path, each in said.items():
            # the nearest manifest has the say
            if path not in facts or (path in listed and each.problem is None):
                facts[path] = each
    keys = unique_keys(sorted(facts), root)
    sources = [_source(key, path, root, facts[path], allowed) for key, path in keys]
    return sorted(_named(sources), key=lambda source: source.key)


def find_in_folders(
    folders: Iterable[str | Path], links: Sequence[str | Path] = ()
) -> list[list[ObjectSource]]:
    """The objects of every folder, by absolute paths. A key that two folders share gets a number behind it,
    and an object at the same place as one of an earlier folder an identity of its own; errors as
    :func:`find_objects`.
    """
    keys: set[str] = set()
    places: Counter[str] = Counter()
    found = []
    for folder in folders:
        sources = []
        for source in find_objects(folder, links):
            key, number = source.key, 1
            while key.lower() in keys:
                number += 1
                key = f"{source.key}-{number}"
            keys.add(key.lower())
            name = source.name
            own = replace(
                source, key=key, path=source.path.absolute(), root=source.root.absolute(), twin=places[name]
            )
            places[name] += 1
            sources.append(own)
        found.append(sources)
    return found


def plain_name(name: str) -> str:
    """The same for names that differ by case and punctuation only."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def _named(sources: list[ObjectSource]) -> list[ObjectSource]:
    """The same, with the names that each has for itself."""
    known: dict[str, tuple[str, ...]] = {}
    for source in sources:
        stem, *folders = reversed(PurePosixPath(source.name).with_suffix("").parts or (source.key,))
        whole = source.name[: -len(source.path.suffix)] if source.path.suffix else source.name
        known[source.key] = (whole, source.key, stem, *folders)
    often = Counter(name for names in known.values() for name in {plain_name(name) for name in names})
    own = {key: tuple(name for name in names if often[plain_name(name)] == 1) for key, names in known.items()}
    return [replace(source, names=own[source.key]) for source in sources]


def _walked(
    root: Path, grounds: list[Path], refuse: Callable[[OSError], None]
) -> Iterator[tuple[Path, list[str]]]:
    """Each folder with the names of its files. A link to a folder is followed into ``grounds``
    only, and each place once.
    """
    visited: set[Path] = set()
    for place, folders, files in os.walk(root, onerror=refuse, followlinks=bool(grounds)):
        here = Path(place)
        if grounds:
            real = here.resolve()
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if grounds:
            folders[:] = [
                name for name in folders if not (here / name).is_symlink() or is_below(here / name, grounds)
            ]
        yield here, files


def _source(key: str, path: Path, root: Path, facts: Facts, links: tuple[Path, ...]) -> ObjectSource:
    said = (facts.licence, facts.author, facts.source, facts.category, facts.sha256, facts.up)
    return ObjectSource(key, path, root, *said, links, facts.problem)
