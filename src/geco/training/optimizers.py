"""Which optimiser trains a network of Stage I."""

from __future__ import annotations

import torch
from torch import nn

from geco.training.stage1_options import Stage1Options


def optimizers_of(network: nn.Module, rate: float, options: Stage1Options) -> list[torch.optim.Optimizer]:
    """Adam over all parameters of ``network``, without weight decay (GECO, section 4.1)."""
    return [torch.optim.AdamW(network.parameters(), lr=rate, betas=options.betas, weight_decay=0.0)]
