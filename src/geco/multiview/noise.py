"""Random numbers as tensors: one source for the start, the ancestral steps, noised references and VAE
posteriors.

Drawn by numpy (:mod:`geco.noise`) on the CPU in float32 and then moved, so that a seed gives the same picture
on every device and in every runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from geco.noise import Noise, stream


class NoiseSource(Protocol):
    """Standard normal numbers, (B, ...) a call, float32 on the CPU."""

    def __call__(self, shape: Sequence[int]) -> Tensor: ...


class SeededNoise:
    """:class:`geco.noise.Noise` as tensors: one stream a seed.

    Args:
        seeds: at least one, each 0 or more.
        names: what the numbers are for, and which of many; see :func:`geco.noise.stream`.
    """

    def __init__(self, seeds: Sequence[int], *names: str | int) -> None:
        self._noise = Noise([stream(int(seed), *(names or ("views",))) for seed in seeds])

    def __call__(self, shape: Sequence[int]) -> Tensor:
        return torch.from_numpy(self._noise(shape))
