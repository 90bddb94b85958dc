"""Zip archives with one object in them, read in place: nothing is unpacked, so nothing can be left behind."""

from __future__ import annotations

import contextlib
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.storage import is_hidden

_BLOCK = 1 << 20
_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's directory
# What programs that pack models use. The others (bzip2, LZMA) unpack slowly enough to make a small file a
# long wait.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """A :class:`~geco.data.objects.storage.Storage` of a zip's entries."""

    def __init__(self, archive: zipfile.ZipFile, name: str, entries: dict[str, zipfile.ZipInfo]) -> None:
        self.archive, self.name, self.files = archive, name, entries
        self.folders: dict[str, dict[str, bool]] = {"": {}}
        for place in entries:
            parts = PurePosixPath(place).parts
            for depth, part in enumerate(parts):
                inside = self.folders.setdefault("/".join(parts[:depth]), {})
                inside[part] = inside.get(part, False) or depth < len(parts) - 1

    def is_file(self, name: str) -> bool:
        return name in self.files

    def is_inside(self, name: str) -> bool:
        return True  # links are refused at once

    def size(self, name: str) -> int:
        return self.files[name].file_size

    def stored(self, name: str) -> int:
        return self.files[name].compress_size

    def open(self, name: str) -> BinaryIO:
        entry = self.files[name]
        if entry.compress_type not in _METHODS:
            raise ObjectError(
                Reason.UNSUPPORTED, f"{self.name}: {name[:80]!r} is neither stored nor deflated"
            )
        return cast(BinaryIO, self.archive.open(entry))

    def entries(self, folder: str) -> dict[str, bool]:
        return dict(sorted(self.folders.get(folder, {}).items()))


@contextlib.contextmanager
def opened(path: Path, suffixes: tuple[str, ...], limits: Limits) -> Iterator[tuple[Archive, str]]:
    """Yield the archive and the name of the one object in it.

    Raises:
        ObjectError: unsafe-archive (before anything is read), unsupported (encrypted), empty or
            several-objects.
    """
    name = path.name
    # Counted in the raw bytes, because opening an archive already builds a list of its entries.
    if _occurrences(path, _ENTRY) > limits.archive_files:
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: more than {limits.archive_files} entries")
    with zipfile.ZipFile(path) as archive:
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            if not entry.filename.endswith(("/", "\\")):
                place = _checked(entry, name)
                if place in entries:
                    raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: two entries named {place[:80]!r}")
                entries[place] = entry
        if sum(entry.file_size for entry in entries.values()) > limits.archive_bytes:
            raise ObjectError(
                Reason.UNSAFE_ARCHIVE, f"{name}: says to hold more than {limits.archive_bytes >> 20} MiB"
            )
        if any(str(parent) in entries for place in entries for parent in PurePosixPath(place).parents):
            raise ObjectError(Reason.BROKEN, f"{name}: an entry that is a file and a folder")
        entries = {
            place: entry for place, entry in entries.items() if not any(map(is_hidden, place.split("/")))
        }
        objects = [place for place in entries if place.lower().endswith(suffixes)]
        if not objects:
            raise ObjectError(Reason.EMPTY, f"{name}: no {', '.join(suffixes)} in it")
        if len(objects) > 1:
            raise ObjectError(
                Reason.SEVERAL_OBJECTS,
                f"{name}: {len(objects)} objects in it",
                "Put one object into an archive, or unpack it.",
            )
        yield Archive(archive, name, entries), objects[0]


def _occurrences(path: Path, mark: bytes) -> int:
    total, tail = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total += (tail + block).count(mark)
            tail = (tail + block)[-(len(mark) - 1) :]
    return total


def _checked(entry: zipfile.ZipInfo, name: str) -> str:
    """The entry's name with forward slashes: some programs of Windows write the others."""
    place = entry.filename.replace("\\", "/")
    odd = "\0" in place or re.match(r"[A-Za-z]:", place) is not None
    if odd or place.startswith("/") or ".." in PurePosixPath(place).parts:
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: an entry named {place[:80]!r}")
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: {place[:80]!r} is a link or a device")
    if entry.flag_bits & 1:
        raise ObjectError(Reason.UNSUPPORTED, f"{name}: encrypted")
    return PurePosixPath(place).as_posix()
