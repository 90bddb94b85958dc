"""What every row is built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PICTURE = 512  # pixels a side of the condition picture


@dataclass(frozen=True)
class Where:
    """On which device, in which format, and how networks are made there.

    Attributes:
        made: a hollow network, the format of its weights, and where it is not ``device``, its place -> one
            that computes.
        networks: the full family, hollow (:class:`geco.torch_runtime.foreseen.Networks`); None without its
            libraries.
        counts_for: while only counting, the device that the fields are meant for.
    """

    device: torch.device
    dtype: torch.dtype
    size: str
    made: Callable[..., Any]
    networks: Any = None
    counts_for: torch.device | None = None

    @property
    def card(self) -> torch.device:
        return self.counts_for or self.device

    def random(self, *shape: int) -> Tensor:
        """Standard normal numbers, float32."""
        return torch.randn(shape, device=self.device)

    def noise(self, shape: Sequence[int]) -> Tensor:
        """The same as a :class:`geco.multiview.noise.NoiseSource`."""
        return self.random(*shape)
