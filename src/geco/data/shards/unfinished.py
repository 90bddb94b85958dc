"""What a folder of shards holds while it is not finished, and whether a run may go on there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geco.data.shards.index import MOST_BYTES
from geco.errors import ConfigError, GecoError
from geco.files import atomic_write
from geco.foreign import read_fields

WORK = ".render"  # exists while the folder is unfinished


def write_piece(folder: str | os.PathLike[str], key: str, piece: bytes) -> None:
    """Put one object's records where :meth:`ShardWriter.done` finds them; may run in another
    process or on another machine.
    """
    atomic_write(Path(folder) / WORK / f"{key}.tar", piece)


def check_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differences = [
        f"{name} {_short(found.get(name))} there, {_short(wanted.get(name))} asked"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
    if differences:
        raise ConfigError(
            f"{folder} holds shards of other settings ({'; '.join(differences)})",
            "Choose another folder with -o, or the same settings.",
        )


def is_marker(path: Path) -> bool:
    """Whether a joined shard's marker can be read."""
    try:
        marker = read_fields(path, ConfigError)
        marker.digest("sha256")
        marker.integer("bytes", 0, MOST_BYTES)
        marker.fields("skipped")
        marker.items("objects")
    except GecoError:
        return False
    return True


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ",".join(f"{entry.get('name')}" for entry in value)
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else text[:12] + "…"
