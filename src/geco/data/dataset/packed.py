"""Pictures of finished shards decoded once into one file beside them: what a GPU trains on, which PNGs cannot
feed.

``packed-SET.npy`` holds (objects, pictures, S, S, 4) uint8; ``packed-SET.json``, written last, says of which
shards it is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from geco.arrays import open_array
from geco.data.dataset.pictures import Pictures
from geco.data.shards import Shards
from geco.errors import ConfigError, OutputError
from geco.files import atomic_path, atomic_write
from geco.foreign import read_fields
from geco.processes import Bounds, Workers
from geco.types import Bytes, Longs

OBJECTS_A_JOB = 32


class PackedPictures(Pictures):
    """Pictures read from the packed files of their sets, each made at its first use."""

    def __init__(self, shards: Shards) -> None:
        super().__init__(shards)
        self._rows = {key: row for row, key in enumerate(shards.objects)}
        self._packed: dict[str, Bytes] = {}

    def get(
        self, key: str, set_name: str, indices: Sequence[int] | Longs, channel: str = "rgba"
    ) -> NDArray[Any]:
        """As :meth:`Pictures.get`; channels other than RGBA are read from the shards."""
        if channel != "rgba":
            return super().get(key, set_name, indices, channel)
        return np.asarray(self.whole(set_name)[self._rows[key], list(indices)])

    def whole(self, set_name: str) -> Bytes:
        """(N, P, S, S, 4) of one set."""
        if set_name not in self._packed:
            self._packed[set_name] = packed_pictures(self.shards, set_name)
        return self._packed[set_name]


def packed_pictures(shards: Shards, set_name: str, workers: int | None = None) -> Bytes:
    """One set's pictures of all objects, (N, P, S, S, 4) uint8 straight alpha, memory-mapped; decoded first
    if need be.

    Args:
        workers: processes that decode; None for one a core.

    Raises:
        OutputError: no room beside the shards.
    """
    path, about = shards.folder / f"packed-{set_name}.npy", shards.folder / f"packed-{set_name}.json"
    digests = {entry["name"]: entry["sha256"] for entry in shards.index["shards"]}
    if not _is_of(about, digests):
        about.unlink(missing_ok=True)
        _pack(shards, set_name, path, workers or os.cpu_count() or 1)
        atomic_write(about, json.dumps(digests).encode())
    shape = (len(shards.objects), shards.sets[set_name], shards.size, shards.size, 4)
    return open_array(
        path, shape, np.uint8, ConfigError, f"Delete {about}: the pictures are then decoded again."
    )


def _is_of(about: Path, digests: dict[str, str]) -> bool:
    """Whether the packed pictures beside ``about`` are of these shards; what cannot be read is made again."""
    try:
        return read_fields(about, ConfigError).values == digests
    except ConfigError:
        return False


def _pack(shards: Shards, set_name: str, path: Path, workers: int) -> None:
    shape = (len(shards.objects), shards.sets[set_name], shards.size, shards.size, 4)
    size = int(np.prod(shape))
    # a hole in a memory-mapped file takes no room until it is written
    if size > shutil.disk_usage(shards.folder).free:
        raise OutputError(f"no room for {path}", f"Free {size / 2**30:.1f} GiB beside the shards.")
    starts = range(0, len(shards.objects), OBJECTS_A_JOB)
    bar = tqdm(total=len(starts), unit="job", desc=f"decoding {set_name}")
    with bar, atomic_path(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        job = _Decode(shards.folder, set_name, temporary)
        with Workers(job, min(workers, len(starts)), Bounds(memory_gb=0)) as pool:
            for outcome in pool.run((str(start), start) for start in starts):
                if outcome.reason:
                    raise OutputError(
                        f"cannot decode {shards.folder}: {outcome.message}", "Render the shards again."
                    )
                bar.update()


@dataclass(frozen=True)
class _Decode:
    """Some objects' pictures into the file: a worker's job."""

    folder: Path
    set_name: str
    path: Path

    def __call__(self, start: int) -> None:
        shards = Shards(self.folder)
        packed = np.lib.format.open_memmap(self.path, mode="r+")
        for row in range(start, min(start + OBJECTS_A_JOB, len(packed))):
            packed[row] = shards.pictures(shards.objects[row], self.set_name)
        packed.flush()
