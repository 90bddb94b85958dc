"""Objects of a folder: sorted, with safe unique keys, and what the folder's manifest says about them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geco.data.objects.limits import Limits
from geco.data.objects.load import SUFFIXES, load_object
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Up
from geco.data.objects.types import TexturedObject
from geco.files import sha256_of

MANIFEST = "manifest.json"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ObjectSource:
    """One object of a folder, not read yet.

    Attributes:
        key: unique in the folder, of letters, digits, ``_`` and ``-`` only: safe in file systems and tar archives.
        path: the file; it may be missing when only the manifest names it.
        root: the folder that was searched.
        licence, author, source, category: of the manifest, "" where it says nothing.
        sha256: hexadecimal, of the manifest; checked when the object is loaded.
        up: "y" or "z" where the manifest corrects the format's axis.
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

    @property
    def name(self) -> str:
        """The path below ``root`` with forward slashes."""
        return _below(self.path, self.root)

    def load(self, limits: Limits | None = None, up: Up | None = None) -> TexturedObject:
        """The normalised object.

        Args:
            up: overrides the manifest's axis, which overrides the format's.

        Raises:
            ObjectError: as :func:`load_object`; also unsafe-path, missing, and changed where the sha256 differs.
        """
        limits = limits or Limits()
        inside = PurePosixPath(self.name)
        if inside.is_absolute() or ".." in inside.parts:
            raise ObjectError(Reason.UNSAFE_PATH, f"{MANIFEST} names {self.name}, which is outside its folder")
        if self.sha256 and self.path.is_file() and self.path.stat().st_size <= limits.file_bytes:
            found = sha256_of(self.path)
            if found != self.sha256.lower():
                raise ObjectError(Reason.CHANGED, f"{self.path.name}: sha256 {found[:12]}…, its manifest says {self.sha256[:12]}…")
        return load_object(self.path, limits, up or self.up)


def find_objects(folder: str | Path) -> list[ObjectSource]:
    """All objects in a folder and the folders below, sorted by key; hidden names are passed over, links to folders not followed.

    A key is the file's stem with anything but letters, digits, ``_`` and ``-`` replaced by ``_``; objects whose stems are alike
    (letter case aside) are keyed by their whole paths instead. A folder's ``manifest.json`` is
    ``{"objects": [{"file": ..., "licence": ..., "author": ..., "sha256": ..., "category": ..., "up": ...}]}``; files that it
    does not list are found all the same, files that it lists and that are not there are refused when they are loaded.

    Raises:
        ObjectError: missing (no such folder), or broken (a manifest that cannot be read).
    """
    root = Path(folder)
    if not root.is_dir():
        raise ObjectError(Reason.MISSING, f"{root}: no such folder")
    facts: dict[Path, dict[str, Any]] = {}
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        if MANIFEST in files:
            facts.update(_listed(Path(place)))
        for name in files:
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                facts.setdefault(Path(place, name), {})
    sources = [_source(key, path, root, facts[path]) for key, path in _keys(sorted(facts), root)]
    return sorted(sources, key=lambda source: source.key)


def _listed(folder: Path) -> dict[Path, dict[str, Any]]:
    try:
        entries = json.loads((folder / MANIFEST).read_bytes())["objects"]
        return {folder / PurePosixPath(entry["file"]): entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ObjectError(
            Reason.BROKEN, f"{folder / MANIFEST}: not a manifest ({type(error).__name__}: {error})", "Repair or remove it."
        ) from error


def _keys(paths: list[Path], root: Path) -> Iterator[tuple[str, Path]]:
    """A unique key for each path, independent of the order."""
    stems = {path: _safe(path.stem) for path in paths}
    often = Counter(stem.lower() for stem in stems.values())
    whole = {path: _safe(_below(path, root)) for path in paths if often[stems[path].lower()] > 1}
    taken = Counter(key.lower() for key in [*whole.values(), *(stems[path] for path in paths if path not in whole)])
    for path in paths:
        key = whole.get(path, stems[path])
        if taken[key.lower()] > 1:
            key = f"{key}-{hashlib.sha256(_below(path, root).encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
        yield key, path


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text).lstrip("-") or "_"


def _source(key: str, path: Path, root: Path, facts: dict[str, Any]) -> ObjectSource:
    def text(*names: str) -> str:
        return next((str(facts[name]) for name in names if facts.get(name)), "")

    up: Up | None = {"y": "y", "z": "z"}.get(text("up").lower())  # type: ignore[assignment]
    source = "/".join(filter(None, (text("source_repo"), text("source_path")))) or text("source", "url")
    texts = (text("licence", "license"), text("author"), source, text("category"), text("sha256"))
    return ObjectSource(key, path, root, *texts, up)
