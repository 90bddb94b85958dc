"""Random access to shards of views, and batches that depend on (seed, step) only, so that any step can be resumed or repeated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geco.data.views import AZIMUTHS, INPUTS_PER_AZIMUTH, mirror_azimuth, mirrored_target_indices, target_indices
from geco.errors import ConfigError

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass
class SixViewBatch:
    """Training pictures of the multi-view generator.

    Attributes:
        condition: (B, S, S, 4) uint8 straight-alpha RGBA of the input pictures.
        targets: (B, 6, S, S, 4) uint8 straight-alpha RGBA of the six views.
        objects: (B,) index of the object.
    """

    condition: Bytes
    targets: Bytes
    objects: NDArray[np.int64]


class ViewShards:
    """The finished shards of a folder, memory-mapped."""

    def __init__(self, folder: str | Path, pattern: str = "shard_*") -> None:
        self.folders = sorted(path for path in Path(folder).glob(pattern) if (path / "meta.json").exists())
        if not self.folders:
            raise ConfigError(f"no shards in {folder}", "Render some with: python -m geco.data.views OBJECTS -o FOLDER")
        self.inputs = [np.load(path / "inputs.npy", mmap_mode="r") for path in self.folders]
        self.targets = [np.load(path / "targets.npy", mmap_mode="r") for path in self.folders]
        self.names = [name for path in self.folders for name in json.loads((path / "names.json").read_text())]
        counts = [len(array) for array in self.inputs]
        self.shard = np.repeat(np.arange(len(counts)), counts)
        self.row = np.concatenate([np.arange(count) for count in counts])

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return int(self.targets[0].shape[2])

    def sample(self, index: int, azimuth: int, variant: int, mirror: bool) -> tuple[Bytes, Bytes]:
        """One input picture (S, S, 4) and its six views (6, S, S, 4), of the object or of its mirror image."""
        shard, row = self.shard[index], self.row[index]
        if mirror:
            condition = self.inputs[shard][row, mirror_azimuth(azimuth), variant]
            return condition[:, ::-1], self.targets[shard][row, mirrored_target_indices(azimuth)][:, :, ::-1]
        return self.inputs[shard][row, azimuth, variant], self.targets[shard][row, target_indices(azimuth)]

    def batch(self, seed: int, step: int, size: int) -> SixViewBatch:
        """``size`` samples: objects in a fresh permutation each epoch, azimuth, variant and mirror at random."""
        at = step * size + np.arange(size)
        objects = np.array([self._permutation(seed, int(n) // len(self))[int(n) % len(self)] for n in at])
        rng = np.random.default_rng([seed, 1, step])
        azimuths, variants = rng.integers(AZIMUTHS, size=size), rng.integers(INPUTS_PER_AZIMUTH, size=size)
        mirrors = rng.random(size) < 0.5
        pairs = [self.sample(*item) for item in zip(objects, azimuths, variants, mirrors)]
        return SixViewBatch(np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs]), objects)

    def fixed(self, count: int, seed: int = 0) -> SixViewBatch:
        """The same ``count`` samples every time, without mirrors: for validation and for picture grids."""
        rng = np.random.default_rng([seed, 2])
        objects = rng.permutation(len(self))[:count] if count <= len(self) else rng.integers(len(self), size=count)
        pairs = [self.sample(index, int(rng.integers(AZIMUTHS)), 0, False) for index in objects]
        return SixViewBatch(np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs]), objects)

    def _permutation(self, seed: int, epoch: int) -> NDArray[np.int64]:
        key = (seed, int(epoch))
        if getattr(self, "_last", (None,))[0] != key:
            self._last = (key, np.random.default_rng([seed, 0, int(epoch)]).permutation(len(self)))
        return self._last[1]


def over_white(rgba: Bytes) -> Floats:
    """(..., 4) uint8 straight alpha -> (..., 3) in [0, 1] over white."""
    values = rgba.astype(np.float32) / np.float32(255)
    rgb: Floats = values[..., :3] * values[..., 3:] + (1 - values[..., 3:])
    return rgb
