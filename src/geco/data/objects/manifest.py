"""``manifest.json`` of a folder of objects: who made them, and under which licence. One bad entry
costs one object.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geco.data.objects.names import joined
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Up
from geco.data.objects.storage import is_regular
from geco.errors import MeshError
from geco.foreign import Fields
from geco.json_text import MOST_BYTES, parse_list
from geco.reading import read_regular

MANIFEST = "manifest.json"
LONGEST_PATH = 4096  # characters of a file's name with its folders (Linux's PATH_MAX)
_LONGEST_TEXT = 10_000
_REMEDY = "Repair or remove it."


@dataclass(frozen=True)
class Facts:
    """What a manifest says of one object; ``problem``: why its entry cannot be used, which is an
    object's refusal.
    """

    licence: str = ""
    author: str = ""
    source: str = ""
    category: str = ""
    sha256: str = ""
    up: Up | None = None
    problem: ObjectError | None = None


def read_manifest(folder: Path) -> dict[Path, Facts]:
    """What the folder's manifest says, by file (which may be missing, or lie outside).

    Raises:
        ObjectError: broken, the file as a whole is no manifest.
    """
    place = folder / MANIFEST
    try:
        content = parse_list(read_regular(place, MOST_BYTES, MeshError), str(place), MeshError, _REMEDY)
        entries = Fields(content, str(place), MeshError, _REMEDY).items("objects")
    except MeshError as error:
        raise ObjectError(Reason.BROKEN, f"{place}: not a manifest ({error.problem})", _REMEDY) from error
    found: dict[Path, Facts] = {}
    for number, entry in enumerate(entries):
        path, facts = _entry(folder, entry, number)
        if path in found and found[path] != facts:
            facts = Facts(problem=_broken(f"{place} lists {_shown(str(path.name))} twice, and differently"))
        found[path] = facts
    return found


def _entry(folder: Path, entry: Any, number: int) -> tuple[Path, Facts]:
    where = f"{folder / MANIFEST}: entry {number + 1}"
    try:
        fields = Fields(entry, where, MeshError, _REMEDY)
        name = fields.text("file", longest=1_000_000)
    except MeshError as error:
        return folder / f"manifest-entry-{number + 1}", Facts(problem=_broken(error.problem))
    usable = len(name) <= LONGEST_PATH and "\0" not in name and name.strip("/. ")
    path = _place(folder, name) if usable else folder
    if path == folder:  # "x/.." as well
        # A path that the system can be asked for, and that no other entry has.
        stands_for = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        problem = ObjectError(Reason.MISSING, f"{where} names {_shown(name)}, which no file can be called")
        return folder / f"manifest-entry-{stands_for}", Facts(problem=problem)
    try:
        return path, _facts(fields)
    except MeshError as error:
        return path, Facts(problem=_broken(error.problem))


def _place(folder: Path, name: str) -> Path:
    """The file that an entry names: without the detours of its path, and with Windows' slashes
    where it needs them.
    """
    if "\\" in name and not is_regular(folder / name):
        name = name.replace("\\", "/")
    inside = None if name.startswith("/") else joined("", name)
    return folder / PurePosixPath(name if inside is None else inside)


def _facts(fields: Fields) -> Facts:
    """The entry's fields, each a text or null; raises MeshError for anything else."""

    def text(*names: str) -> str:
        said = (fields.text(name, _LONGEST_TEXT) for name in names if fields.values.get(name) is not None)
        # JSON may hold half of a surrogate pair, which no file and no page can.
        return next((value for value in said if value), "").encode("utf-8", "replace").decode()

    sha256, up = text("sha256").lower(), text("up").lower()
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise fields.wrong("has a sha256 that is not 64 hexadecimal digits")
    if up not in ("", "y", "z"):
        raise fields.wrong(f"has up = {_shown(up)}, which is neither y nor z")
    source = "/".join(filter(None, (text("source_repo"), text("source_path")))) or text("source", "url")
    axis: dict[str, Up] = {"y": "y", "z": "z"}
    return Facts(text("licence", "license"), text("author"), source, text("category"), sha256, axis.get(up))


def _broken(problem: str) -> ObjectError:
    return ObjectError(Reason.BROKEN, problem, _REMEDY)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
