"""Zip archives with one object in them, extracted into a temporary folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason

_BLOCK = 1 << 20
_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's directory
_HIDDEN = ("__MACOSX", "Thumbs.db")


@contextlib.contextmanager
def extracted(path: Path, suffixes: tuple[str, ...], limits: Limits) -> Iterator[tuple[Path, Path]]:
    """Yield the temporary folder and the one object in it.

    Raises:
        ObjectError: unsafe-archive (before anything is written, or when an entry grows beyond what it said), too-large,
            unsupported (encrypted), empty or several-objects.
    """
    name = path.name
    # Counted in the raw bytes, because opening an archive already builds a list of its entries.
    if _occurrences(path, _ENTRY) > limits.archive_files:
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: more than {limits.archive_files} entries")
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in entries:
            _check(entry, name)
        if sum(entry.file_size for entry in entries) > limits.archive_bytes:
            raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: says to extract to more than {limits.archive_bytes >> 20} MiB")
        entries = [entry for entry in entries if not _hidden(entry.filename)]
        objects = [entry for entry in entries if entry.filename.lower().endswith(suffixes)]
        if not objects:
            raise ObjectError(Reason.EMPTY, f"{name}: no {', '.join(suffixes)} in it")
        if len(objects) > 1:
            raise ObjectError(
                Reason.SEVERAL_OBJECTS, f"{name}: {len(objects)} objects in it", "Put one object into an archive, or unpack it."
            )
        folder = Path(tempfile.mkdtemp(prefix="geco-object-"))
        try:
            left = limits.archive_bytes
            for entry in entries:
                left -= _write(archive, entry, folder, left, name)
            yield folder, folder / objects[0].filename
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _occurrences(path: Path, mark: bytes) -> int:
    total, tail = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total += (tail + block).count(mark)
            tail = (tail + block)[-(len(mark) - 1) :]
    return total


def _check(entry: zipfile.ZipInfo, name: str) -> None:
    place = entry.filename
    odd = "\\" in place or "\0" in place or re.match(r"[A-Za-z]:", place) is not None
    if odd or place.startswith("/") or ".." in PurePosixPath(place).parts:
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: an entry named {place[:80]!r}")
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: {place[:80]!r} is a link or a device")
    if entry.flag_bits & 1:
        raise ObjectError(Reason.UNSUPPORTED, f"{name}: encrypted")


def _hidden(place: str) -> bool:
    return any(part.startswith(".") or part in _HIDDEN for part in PurePosixPath(place).parts)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, left: int, name: str) -> int:
    """Extract one entry, block by block; returns its bytes."""
    target = folder / entry.filename
    if target.exists():
        raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: two entries named {entry.filename[:80]!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as source, target.open("wb") as sink:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > min(left, entry.file_size):
                raise ObjectError(Reason.UNSAFE_ARCHIVE, f"{name}: {entry.filename[:80]!r} extracts to more than it says")
            sink.write(block)
    return written
