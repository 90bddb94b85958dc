"""A folder of pairs on disk: ``pairs.json`` says what decides them, ``chunks/FIRST-END/`` holds the pairs
FIRST to END - 1, whole or not at all, and ``index.json`` what is in the chunks, so that tens of thousands are
opened without a look into each.

A chunk is made in ``.work/`` and renamed into place; what it holds depends on settings and numbers alone, not
on who made it. ``generated/ID/FIRST-END/`` has the views that a generator makes of the same pictures and
noise, one file a pair; ID is of the generator's weights and of how it is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geco.errors import ConfigError, OutputError
from geco.files import atomic_write, writing
from geco.foreign import Fields, read_fields
from geco.json_text import read_json

ABOUT, INDEX, CHUNKS, WORK, CLAIMS, GENERATED = (
    "pairs.json",
    "index.json",
    "chunks",
    ".work",
    ".claims",
    "generated",
)
CHUNK = "chunk.json"  # in a chunk: what the index says of it
MOST = 1 << 40  # of numbers and bytes
BLOCK = 4096  # bytes that a file takes at least
_NAME = re.compile(r"^(\d{8,12})-(\d{8,12})$")


@dataclass(frozen=True)
class Chunk:
    """What a chunk holds.

    Attributes:
        name: of its folder.
        numbers, keys: of its pairs; those without a surface are left out.
        empty: how many were.
        size: bytes on disk.
    """

    name: str
    numbers: tuple[int, ...]
    keys: tuple[str, ...]
    empty: int
    size: int

    def described(self) -> bytes:
        """For :data:`CHUNK`."""
        values = {name: getattr(self, name) for name in ("numbers", "keys", "empty", "size")}
        return json.dumps(values, sort_keys=True).encode() + b"\n"


def chunk_name(numbers: range) -> str:
    """Of the pairs ``numbers``, which follow each other."""
    return f"{numbers.start:08d}-{numbers.stop:08d}"


def range_of(name: str) -> range:
    """The other way round."""
    first, end = name.split("-")
    return range(int(first), int(end))


def pair_name(number: int) -> str:
    """Of a pair's folder in its chunk, and of its file of generated views."""
    return f"{number:08d}"


def chunk_names(folder: Path, inside: str = CHUNKS) -> list[str]:
    """The chunks that are there, in order; one that lies within another is left out (a last one that was not
    full, and is now).
    """
    try:
        found = [name for name in os.listdir(folder / inside) if _NAME.match(name)]
    except OSError:
        return []
    kept: list[str] = []
    end = 0
    for name in sorted(found, key=lambda name: (range_of(name).start, -range_of(name).stop)):
        if range_of(name).stop > end:
            kept.append(name)
            end = range_of(name).stop
    return kept


def read_chunks(folder: Path, known: Mapping[str, Chunk] | None = None) -> dict[str, Chunk]:
    """All chunks by name, in order; those in ``known`` (else in the index) are not read again.

    Raises:
        ConfigError: a description is damaged.
    """
    seen = read_index(folder) if known is None else known
    return {name: seen.get(name) or _read_chunk(folder, name) for name in chunk_names(folder)}


def read_index(folder: Path) -> dict[str, Chunk]:
    """What :func:`write_index` wrote; nothing where it did not."""
    path = folder / INDEX
    if not path.exists():
        return {}
    remedy = "Delete it: the chunks are read one by one then."
    fields = Fields(read_json(path, ConfigError, remedy), str(path), ConfigError, remedy)
    columns = [fields.values.get(name) for name in ("name", "numbers", "keys", "empty", "size")]
    if any(not isinstance(column, list) for column in columns):
        raise fields.wrong("is no index of pairs")
    rows = list(zip(*columns))  # type: ignore[arg-type]
    return {str(row[0]): _chunk(Fields(_named(row), str(path), ConfigError, remedy), row[0]) for row in rows}


def write_index(folder: Path, chunks: Mapping[str, Chunk]) -> None:
    """Write the index whole; raises OutputError."""
    found = chunks.values()
    columns = {
        name: [getattr(chunk, name) for chunk in found]
        for name in ("name", "numbers", "keys", "empty", "size")
    }
    atomic_write(folder / INDEX, json.dumps(columns).encode())


def keep(private: Path, place: Path, files: Mapping[str, bytes]) -> bool:
    """Write the files below ``private`` and rename it to ``place``: whole or not at all.

    Returns:
        Whether it is ours: somebody else's is there already otherwise, and stays.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with writing(place):
            shutil.rmtree(private, ignore_errors=True)
            for name, data in files.items():
                path = private / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(private, place)
    except OutputError:
        if not place.is_dir():
            raise
        return False
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return True


def swept(folder: Path, inside: str = CHUNKS, work: str = WORK, claims: str = CLAIMS) -> None:
    """Remove what is left of work on chunks that are there: nobody needs it any more, a slow process that is
    still at one of them included (:func:`keep`).
    """
    for place in (folder / work, folder / claims):
        with contextlib.suppress(OSError):
            for entry in os.listdir(place):
                if (folder / inside / entry.strip(".").split(".")[0]).is_dir():
                    shutil.rmtree(place / entry, ignore_errors=True)
            place.rmdir()


def outgrown(folder: Path, name: str) -> None:
    """Remove chunks that lie within the chunk ``name``."""
    whole = range_of(name)
    for other in os.listdir(folder / CHUNKS):
        if other != name and _NAME.match(other):
            inside = range_of(other)
            if whole.start <= inside.start and inside.stop <= whole.stop:
                gone = folder / WORK / f"{other}.gone"
                gone.parent.mkdir(exist_ok=True)
                with contextlib.suppress(OSError):
                    os.rename(folder / CHUNKS / other, gone)
                shutil.rmtree(gone, ignore_errors=True)


def bytes_on_disk(files: Mapping[str, bytes]) -> int:
    """What the files take, in whole blocks."""
    return sum(-(-len(data) // BLOCK) * BLOCK for data in files.values())


def _read_chunk(folder: Path, name: str) -> Chunk:
    path = folder / CHUNKS / name / CHUNK
    remedy = f"Delete {path.parent} and make the pairs again: geco distill pairs."
    return _chunk(read_fields(path, ConfigError, remedy), name)


def _chunk(fields: Fields, name: str) -> Chunk:
    numbers, keys = fields.integers("numbers", 0, MOST, 1 << 20), fields.values.get("keys")
    if not isinstance(keys, list) or len(keys) != len(numbers) or not _NAME.match(str(name)):
        raise fields.wrong("does not name its pairs")
    if any(number not in range_of(name) for number in numbers):
        raise fields.wrong("has pairs of another chunk")
    empty, size = fields.integer("empty", 0, MOST), fields.integer("size", 0, MOST)
    return Chunk(name, tuple(numbers), tuple(map(str, keys)), empty, size)


def _named(row: tuple[object, ...]) -> dict[str, object]:
    return dict(zip(("name", "numbers", "keys", "empty", "size"), row))
