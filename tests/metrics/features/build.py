"""A tiny network of the feature distance, and pictures for it."""

from __future__ import annotations

import torch
from torch import Tensor

from geco.metrics.features.config import AutoencoderConfig
from geco.metrics.features.network import Autoencoder

CONFIG = AutoencoderConfig(widths=(4, 6, 8), latent=2)


def network(seed: int = 0) -> Autoencoder:
    """Weights that are nowhere zero."""
    torch.manual_seed(seed)
    made = Autoencoder(CONFIG)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def pictures(count: int, size: int = 12, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.rand(count, 3, size, size, generator=generator, dtype=dtype) for _ in range(2))
    return first, second
