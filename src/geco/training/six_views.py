"""Batches of the small recipe's pictures as tensors: read from the shards, or from a device that
holds them all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geco.data.dataset import GridViews, SixViewBatch
from geco.data.dataset.grid import INPUTS, TARGETS, places
from geco.data.dataset.packed import PackedPictures
from geco.data.shards import Shards

Sample = tuple[int, int, int, bool]  # object, azimuth, variant, mirror


class ResidentViews(GridViews):
    """All pictures in the memory of ``device``: 2,875 objects take 2.3 GB at 64 px, 5.1 GB at 96. The samples
    are GridViews'.

    A GPU makes thousands of samples a second of them; decoding PNGs on the host gives some hundreds.
    """

    def __init__(self, folder: str | Path, device: torch.device) -> None:
        super().__init__(folder, packed=True)
        self.device = device
        self._held: dict[str, Tensor] = {}
        self._lock = threading.Lock()  # threads that make batches ahead must not load twice

    def tensors(self, samples: Sequence[Sample], six: bool = True) -> tuple[Tensor, Tensor]:
        """As :func:`sample_tensors`; without ``six`` no targets (B, 0, 4, S, S)."""
        objects, azimuths, variants, mirrors = zip(*samples)
        where = [places(*sample) for sample in zip(azimuths, variants, mirrors)]
        rows, flipped, chosen = (
            torch.tensor(np.array(part)).to(self.device) for part in (objects, mirrors, [w[0] for w in where])
        )
        condition = _pictures(self.held(INPUTS)[rows, chosen], flipped)
        if not six:
            return condition, condition[:, None][:, :0]
        views = torch.from_numpy(np.stack([w[1] for w in where])).to(self.device)
        return condition, _pictures(self.held(TARGETS)[rows[:, None], views], flipped)

    def held(self, name: str) -> Tensor:
        """(N, P, S, S, 4) uint8 of one set, loaded at its first use."""
        assert isinstance(self.pictures, PackedPictures)
        with self._lock:
            if name not in self._held:
                self._held[name] = torch.from_numpy(np.array(self.pictures.whole(name))).to(self.device)
            return self._held[name]


def open_views(folder: str | Path, device: torch.device) -> GridViews:
    """Of a folder of finished shards; in a CUDA device's memory if they take at most half of what
    is free, else decoded on disk.
    """
    if device.type != "cuda":
        return GridViews(folder)
    shards = Shards(folder)
    needed = (
        sum(shards.sets.get(name, 0) for name in (INPUTS, TARGETS)) * len(shards.objects) * shards.size**2 * 4
    )
    fits = needed <= torch.cuda.mem_get_info(device)[0] // 2
    return ResidentViews(folder, device) if fits else GridViews(folder, packed=True)


def batch_tensors(
    data: GridViews, seed: int, step: int, size: int, rank: int = 0, world: int = 1
) -> tuple[Tensor, Tensor]:
    """Condition (B, 4, S, S) and targets (B, 6, 4, S, S) in [0, 1], straight alpha; B is this
    process's part of ``size``.
    """
    return sample_tensors(data, data.draw(seed, step, size, rank, world))


def sample_tensors(data: GridViews, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Condition (B, 4, S, S) and targets (B, 6, 4, S, S) of these samples, where ``data`` holds
    its pictures.
    """
    if isinstance(data, ResidentViews):
        return data.tensors(samples)
    condition, targets = (
        np.stack(pictures) for pictures in zip(*(data.sample(*sample) for sample in samples))
    )
    return _pictures(torch.from_numpy(condition)), _pictures(torch.from_numpy(targets))


def batch_conditions(data: GridViews, seed: int, step: int, size: int) -> Tensor:
    """The condition pictures of :func:`batch_tensors` alone, (B, 4, S, S)."""
    samples = data.draw(seed, step, size)
    if isinstance(data, ResidentViews):
        return data.tensors(samples, six=False)[0]
    return _pictures(torch.from_numpy(np.stack([data.condition(*sample) for sample in samples])))


def to_tensors(batch: SixViewBatch) -> tuple[Tensor, Tensor]:
    """Condition (B, 4, S, S) and targets (B, 6, 4, S, S) in [0, 1], straight alpha."""
    condition, targets = (
        _pictures(torch.from_numpy(np.ascontiguousarray(x))) for x in (batch.condition, batch.targets)
    )
    return condition, targets


def _pictures(stored: Tensor, mirrors: Tensor | None = None) -> Tensor:
    """(B, ..., S, S, 4) uint8 -> (B, ..., 4, S, S) in [0, 1]; those of ``mirrors`` (B,) flipped
    left-right.
    """
    pictures = stored.movedim(-1, -3).float().contiguous() / 255
    if mirrors is None:
        return pictures
    return torch.where(mirrors.reshape(-1, *(1,) * (pictures.dim() - 1)), pictures.flip(-1), pictures)
