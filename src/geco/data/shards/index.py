"""What the JSON files of shards may say, checked where they are read: index, sidecars, an
object's facts, the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from geco.data.shards.format import CHANNELS, FORMAT
from geco.errors import ConfigError
from geco.foreign import Fields, read_fields
from geco.json_text import parse_json
from geco.reading import regular_size
from geco.types import Floats, Longs

LARGEST = 8192  # pixels of a picture's side
MOST_PICTURES = 100_000  # of one view set of one object
MOST_BYTES = 2**50  # of a shard
MOST_JSON = 2**32  # of a sidecar: tens of millions of members take 2 GB
REMEDY = "geco data info SHARDS --check lists what is wrong; then delete the folder and render it again."

Spans = tuple[dict[str, int], Longs]  # name -> row, and (offset, bytes) a row


class DamagedShards(ConfigError):
    """Shards whose files do not say or hold what they must; names the file."""


def damaged(problem: str) -> DamagedShards:
    """The error to raise, with what to do about it."""
    return DamagedShards(problem, REMEDY)


def read_index(folder: Path) -> dict[str, Any]:
    """``index.json`` of a folder of finished shards.

    Raises:
        ConfigError: missing, of another format, or something in it is not what it must be.
    """
    path = folder / "index.json"
    make = f"Make some with: geco data render OBJECTS -o {folder}"
    if not path.exists():
        raise ConfigError(f"{folder} holds no finished shards (no index.json)", make)
    index = read_fields(path, DamagedShards, REMEDY, MOST_JSON)
    if index.values.get("format") != FORMAT:
        found = str(index.values.get("format"))[:60]
        raise ConfigError(
            f"{folder} has the format {found!r}, not {FORMAT!r}", "Render it again with this version."
        )
    _check_settings(index.fields("settings"))
    shards = [_shard(each) for each in _objects(index, "shards")]
    if len(set(shards)) != len(shards):
        raise index.wrong("lists a shard twice")
    keys = [_object(each, set(shards)) for each in _objects(index, "objects")]
    if len(set(keys)) != len(keys):
        raise index.wrong("lists an object twice")
    return index.values


def read_sidecar(path: Path) -> dict[str, Spans]:
    """The places of all members of one shard, by object; ``path`` is the shard's (.tar).

    Objects with the same names share the first's: members can be tens of millions.

    Raises:
        DamagedShards: a file is missing or damaged, or a place lies outside the shard.
    """
    end = regular_size(path, DamagedShards, REMEDY)
    beside = path.with_suffix(".json")
    read = read_fields(beside, DamagedShards, REMEDY, MOST_JSON)
    shared: dict[tuple[str, ...], dict[str, int]] = {}
    found: dict[str, Spans] = {}
    for key, members in read.values.items():
        if not isinstance(members, dict) or not members:
            raise read.wrong(f"lists no members of {key[:60]!r}")
        rows = shared.setdefault(tuple(members), {name: row for row, name in enumerate(members)})
        found[key] = (
            rows,
            _spans(members, end, read.wrong(f"has places of {key[:60]!r} that are not in the shard")),
        )
    return found


def parse_info(data: bytes, key: str, where: str) -> dict[str, Any]:
    """``KEY.json``, an object with its key and its view sets; DamagedShards for anything else."""
    fields = Fields(parse_json(data, where, DamagedShards, REMEDY), where, DamagedShards, REMEDY)
    if fields.text("key", 10_000) != key:
        raise fields.wrong(f"is of another object, {fields.values['key'][:60]!r}")
    fields.fields("sets")
    return fields.values


def cameras_of(info: dict[str, Any], set_name: str, count: int, where: str) -> tuple[Floats, Floats]:
    """c2w (N, 4, 4) and lenses (N, 3) of one view set in an object's facts; DamagedShards unless
    there are ``count``.
    """
    entries = entries_of(info, set_name, count, where)
    try:
        c2w = np.array([entry["c2w"] for entry in entries], np.float32)
        lenses = np.array([entry["lens"] for entry in entries], np.float32)
        good = c2w.shape == (count, 4, 4) and lenses.shape == (count, 3)
        if not good or not (np.isfinite(c2w).all() and np.isfinite(lenses).all()):
            raise ValueError("numbers of another count, or not finite")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(f"{where}: the cameras of {set_name!r} are damaged ({error})") from error
    return c2w, lenses


def entries_of(info: dict[str, Any], set_name: str, count: int, where: str) -> list[dict[str, Any]]:
    """The ``count`` cameras of one view set as they stand in an object's facts; DamagedShards for others."""
    entries = info["sets"].get(set_name)
    if (
        not isinstance(entries, list)
        or len(entries) != count
        or not all(isinstance(each, dict) for each in entries)
    ):
        raise damaged(f"{where}: {set_name!r} has not {count} cameras")
    return entries


def read_report(folder: Path) -> dict[str, Any]:
    """``report.json``: what was skipped, and why; DamagedShards where it is missing or damaged."""
    report = read_fields(folder / "report.json", DamagedShards, REMEDY, MOST_JSON)
    skipped = report.fields("skipped")
    for key in skipped:
        skipped.fields(key).text("reason")
        skipped.fields(key).text("message", 100_000)
    return report.values


def _check_settings(settings: Fields) -> None:
    settings.integer("size", 1, LARGEST)
    channels = settings.texts("channels", len(CHANNELS))
    if "rgba" not in channels or len(set(channels)) != len(channels) or not set(channels) <= set(CHANNELS):
        raise settings.wrong("has channels that this version does not know, or no rgba")
    names = []
    for each in _objects(settings, "sets"):
        each.integer("count", 1, MOST_PICTURES)
        names.append(each.file_name("name"))
    if not names or len(set(names)) != len(names):
        raise settings.wrong("has no view sets, or one twice")


def _shard(entry: Fields) -> str:
    entry.integer("bytes", 0, MOST_BYTES)
    entry.text("sha256", 64)  # a wrong one is a fault of the shard, which --check lists
    name: str = entry.file_name("name")
    if not name.endswith(".tar"):
        raise entry.wrong(f"has the name {name!r}, which is no shard's")
    return name


def _object(entry: Fields, shards: set[str]) -> str:
    entry.integer("bytes", 0, MOST_BYTES)
    if missing := {"faces", "licence"} - set(entry):  # both may be unknown, which is null
        raise entry.wrong(f"lacks {min(missing)}")
    if entry.values.get("faces") is not None:
        entry.integer("faces", 0, 10**12)
    if entry.values.get("licence") is not None:
        entry.text("licence", 100_000)
    if "notes" in entry:
        entry.fields("notes")
    if entry.text("shard") not in shards:
        raise entry.wrong("is in a shard that is not listed")
    key: str = entry.text("key", 10_000)
    if not key or "\0" in key:
        raise entry.wrong("has no key")
    return key


def _objects(fields: Fields, name: str) -> list[Fields]:
    items = fields.items(name, 100_000_000)
    return [
        Fields(item, f"{fields.where}: {name}[{at}]", fields.error, fields.remedy)
        for at, item in enumerate(items)
    ]


def _spans(members: dict[str, Any], end: int, wrong: Exception) -> Longs:
    try:
        spans = np.array(list(members.values()))
    except (ValueError, OverflowError) as error:  # lists of other lengths
        raise wrong from error
    if spans.shape != (len(members), 2) or spans.dtype.kind != "i":
        raise wrong
    places = spans.astype(np.int64)
    if (places < 0).any() or (places > end).any() or (places.sum(axis=1) > end).any():
        raise wrong
    return places
