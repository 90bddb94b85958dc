"""Whether a folder of shards is whole: every hash, every member's place, every picture. Each
fault is a line.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from geco.data.shards.format import HELD_OUT
from geco.data.shards.index import DamagedShards, read_report
from geco.data.shards.reader import Shards
from geco.errors import GecoError
from geco.foreign import read_fields
from geco.reading import regular_size, sha256_of

CAMERAS = "cameras.json"


def find_faults(folder: Path) -> Iterator[str]:
    """What is wrong with the files, one line a fault; nothing for a whole folder. Goes on past every fault.

    Raises:
        ConfigError: there is no index to go by.
    """
    shards = Shards(folder)
    for entry in shards.index["shards"]:
        yield from _shard(shards, entry["name"], entry["bytes"], entry["sha256"])
    for key in shards.objects:
        yield from _object(shards, key)
    try:
        read_report(folder)
        if os.path.lexists(folder / CAMERAS):
            read_fields(folder / CAMERAS, DamagedShards)
    except GecoError as error:
        yield error.problem
    if os.path.lexists(folder / HELD_OUT / "index.json"):
        try:
            yield from (f"{HELD_OUT}: {fault}" for fault in find_faults(folder / HELD_OUT))
        except GecoError as error:
            yield f"{HELD_OUT}: {error.problem}"


def _shard(shards: Shards, name: str, size: int, digest: str) -> Iterator[str]:
    path = shards.folder / name
    try:
        found = regular_size(path, DamagedShards)
        if found != size:
            yield f"{name}: {found} bytes, index.json says {size}"
        if sha256_of(path) != digest:
            yield f"{name}: other bytes than index.json says"
        places = _places(path)
    except GecoError as error:
        yield error.problem
        return
    except OSError as error:
        yield f"{name}: {error.strerror or error}"
        return
    except Exception as error:  # tarfile's own, and what its number parsing raises
        yield f"{name}: {error or type(error).__name__}"
        return
    yield from _members(shards, name, places)


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """Name -> (offset, bytes) as the tar's own headers say; only ordinary files are members of a shard."""
    places: dict[str, tuple[int, int]] = {}
    with tarfile.open(path, "r:") as archive:
        for info in archive:
            if not info.isreg():
                raise tarfile.TarError(f"{info.name[:80]!r} is a link, a folder or a device")
            places[info.name] = (info.offset_data, info.size)
    return places


def _members(shards: Shards, name: str, places: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Members that the sidecar does not know, or knows at another place. What it knows beyond is
    a fault of the object.
    """
    left = dict(places)
    for key in (entry["key"] for entry in shards.index["objects"] if entry["shard"] == name):
        try:
            rows, spans = shards.spans(key)
        except GecoError:
            continue
        for member, row in rows.items():
            if left.pop(f"{key}.{member}", None) != (int(spans[row][0]), int(spans[row][1])):
                yield f"{name}: {key}.{member} does not lie where its index says"
    if left:
        yield f"{name}: holds {sorted(left)[0][:80]!r} and {len(left) - 1} more that no index lists"


def _object(shards: Shards, key: str) -> Iterator[str]:
    """The first fault of each view set and channel."""
    for name in shards.sets:
        for channel in (None, *shards.channels):
            try:
                if channel is None:
                    shards.cameras(key, name)
                else:
                    shards.pictures(key, name, channel)
            except GecoError as error:
                yield error.problem
            except OSError as error:
                yield f"{key}: {error.strerror or error}"
