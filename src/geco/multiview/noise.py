"""Where random numbers come from: one source for the start, the ancestral steps, noised references and VAE
posteriors.

Drawn on the CPU in float32 and then moved, so that a seed gives the same picture on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from geco.errors import ConfigError


class NoiseSource(Protocol):
    """Standard normal numbers, (B, ...) a call, float32 on the CPU."""

    def __call__(self, shape: Sequence[int]) -> Tensor: ...


class SeededNoise:
    """One generator a seed: what a seed gives does not depend on which other seeds share its batch.

    A request for a multiple of ``len(seeds)`` items (guidance asks for two conditions a seed) is laid out
    block by block, each block holding one item a seed.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        if not seeds:
            raise ConfigError("no seed was given", "Give at least one.")
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __call__(self, shape: Sequence[int]) -> Tensor:
        batch, *item = shape
        blocks, rest = divmod(batch, len(self._generators))
        if rest or not blocks:
            raise ConfigError(
                f"{batch} items cannot be shared out to {len(self._generators)} seeds",
                "Give one seed an item.",
            )
        draws = [torch.randn(blocks, *item, generator=generator) for generator in self._generators]
        return torch.stack(draws, dim=1).flatten(0, 1)
