"""The manifest of a folder of weights: size and SHA-256 of every file, in the folder's card under "files".

    "files": {"network.safetensors": {"bytes": 21190028, "sha256": "..."}}

While a file is being replaced its entry also names the one ``before``, so that a kill between two renames
leaves a folder whose card knows the file that is there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from geco.errors import WeightsError
from geco.foreign import Fields, is_plain_name
from geco.model_files.stamps import whole_digest
from geco.reading import read_regular, regular_size, sha256_of

FILES = "files"
MOST_BYTES = 2**40  # of a file of weights; the largest public one that is read has 3.5e9
REMEDY = "Convert or download the model again."


class Manifest:
    """What a card says of its folder's files.

    Args:
        card: the fields of the card.

    Raises:
        The fields' own error: there is none (folders from before there were manifests), or something in it is
            no entry.
    """

    def __init__(self, card: Fields) -> None:
        self.where = card.where
        self.entries: dict[str, list[tuple[int, str]]] = {}
        files = card.fields(FILES)
        for name in files:
            if not is_plain_name(name):
                raise card.wrong(f"lists {name!r}, which names no file in its folder")
            self.entries[name] = _entries(files.fields(name))

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def check(self, path: Path, check_hash: bool = True, fresh: bool = False) -> None:
        """Raise :class:`WeightsError` unless ``path`` is a regular file, listed, of its size and
        (if wanted) its hash: a large file's is taken once (:mod:`geco.model_files.stamps`), or, ``fresh``,
        now.
        """
        size = weights_size(path)
        listed = self._listed(path)
        same = [digest for length, digest in listed if length == size]
        if not same:
            raise _wrong_size(path, size, listed[0][0])
        if check_hash and whole_digest(path, fresh) not in same:
            raise WeightsError(
                f"weights file {path} is damaged: its SHA-256 is not that of {self.where}", REMEDY
            )

    def read(self, path: Path) -> bytes:
        """The checked bytes of a file."""
        size = weights_size(path)
        listed = self._listed(path)
        if size not in [length for length, _ in listed]:
            raise _wrong_size(path, size, listed[0][0])
        data = read_regular(path, size, WeightsError)
        if (len(data), hashlib.sha256(data).hexdigest()) not in listed:
            raise WeightsError(
                f"weights file {path} is damaged: its SHA-256 is not that of {self.where}", REMEDY
            )
        return data

    def _listed(self, path: Path) -> list[tuple[int, str]]:
        if path.name not in self.entries:
            raise WeightsError(f"weights file {path} is not in the manifest of {self.where}", REMEDY)
        return self.entries[path.name]


def entry(path: Path, before: Path | None = None) -> dict[str, Any]:
    """The entry of a file; ``before`` is the file whose place it is about to take, if that is there."""
    found: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    if before is not None and before.is_file():
        found["before"] = entry(before)
    return found


def weights_size(path: Path) -> int:
    """Bytes of a regular file (or of what a link leads to); :class:`WeightsError` for anything
    else. Opens nothing.
    """
    return regular_size(path, WeightsError, REMEDY)


def _entries(fields: Fields) -> list[tuple[int, str]]:
    found = [(fields.integer("bytes", 0, MOST_BYTES), fields.digest("sha256"))]
    if "before" in fields:
        before = fields.fields("before")
        found.append((before.integer("bytes", 0, MOST_BYTES), before.digest("sha256")))
    return found


def _wrong_size(path: Path, size: int, wanted: int) -> WeightsError:
    what = "truncated" if size < wanted else "too long"
    return WeightsError(f"weights file {path} is {what}: {size} bytes instead of {wanted}", REMEDY)
