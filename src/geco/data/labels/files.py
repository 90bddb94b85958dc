"""Labelled points beside shards: for ``shard-000000.tar`` the files ``shard-000000.points.npy`` (n, P, 4)
float16 (x, y, z, signed distance, negative inside), ``.surface.npy`` (n, S, 3) float16 and ``.colors.npy``
(n, S, 3) uint8, rows in the order of the shard's objects, and, written last, ``.points.json``: which shard
they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.arrays import open_array
from geco.data.shards import Shards
from geco.errors import ConfigError
from geco.files import atomic_path, atomic_write
from geco.foreign import read_fields
from geco.types import Bytes


@dataclass(frozen=True)
class Labels:
    """One object's labels.

    Attributes:
        points: (P, 4) float16 x, y, z and signed distance, world units.
        surface: (S, 3) float16 and colors: (S, 3) uint8.
    """

    points: NDArray[np.float16]
    surface: NDArray[np.float16]
    colors: Bytes


LAYOUT: dict[str, tuple[int, str]] = {
    "points": (4, "float16"),
    "surface": (3, "float16"),
    "colors": (3, "uint8"),
}


class LabelledPoints:
    """The labels of all objects of finished shards, memory-mapped; indexed as ``shards.objects``.

    Raises:
        ConfigError: a shard has none, or labels of another shard.
    """

    def __init__(self, shards: Shards) -> None:
        self._rows: list[tuple[int, int]] = []
        self._arrays: list[list[NDArray[Any]]] = []
        for number, shard in enumerate(shard_names(shards)):
            if not is_labelled(shards, shard):
                raise ConfigError(
                    f"{shards.folder / shard} has no labelled points of its own",
                    f"Make them with: geco data label {shards.folder}",
                )
            count = len(keys_of(shards, shard))
            self._arrays.append([_array(shards, shard, name, count) for name in LAYOUT])
            self._rows += [(number, row) for row in range(count)]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Labels:
        shard, row = self._rows[index]
        return Labels(*(array[row] for array in self._arrays[shard]))


def shard_names(shards: Shards) -> list[str]:
    """``shard-000000.tar`` ..., in order."""
    return [entry["name"] for entry in shards.index["shards"]]


def keys_of(shards: Shards, shard: str) -> list[str]:
    """The objects of one shard, in order."""
    return [entry["key"] for entry in shards.index["objects"] if entry["shard"] == shard]


def is_labelled(shards: Shards, shard: str, seed: int | None = None) -> bool:
    """Whether the labels are there, whole, of this very shard and (where given) of this seed."""
    marker = _marker(shards, shard)
    if not marker.exists():
        return False
    found = read_fields(marker, ConfigError, f"Delete {marker} and make the points again.")
    return found.text("sha256") == _digest(shards, shard) and seed in (None, found.values.get("seed"))


def write_labels(shards: Shards, shard: str, labels: Sequence[Labels], seed: int) -> None:
    """Write one shard's labels; they count only when the last file stands."""
    _marker(shards, shard).unlink(missing_ok=True)
    for field in fields(Labels):
        with atomic_path(_path(shards, shard, field.name)) as temporary:
            np.save(temporary, np.stack([getattr(each, field.name) for each in labels]))
    atomic_write(
        _marker(shards, shard), json.dumps({"sha256": _digest(shards, shard), "seed": seed}).encode()
    )


def _array(shards: Shards, shard: str, name: str, count: int) -> NDArray[Any]:
    width, dtype = LAYOUT[name]
    remedy = f"Make the points again: geco data label {shards.folder}"
    return open_array(_path(shards, shard, name), (count, None, width), dtype, ConfigError, remedy)


def _path(shards: Shards, shard: str, name: str) -> Path:
    return shards.folder / f"{Path(shard).stem}.{name}.npy"


def _marker(shards: Shards, shard: str) -> Path:
    return shards.folder / f"{Path(shard).stem}.points.json"


def _digest(shards: Shards, shard: str) -> str:
    digests: dict[str, str] = {entry["name"]: entry["sha256"] for entry in shards.index["shards"]}
    return digests[shard]
