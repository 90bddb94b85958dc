"""Random weights for networks that have none, on any device."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def fill(module: Module, device: torch.device | str, dtype: torch.dtype) -> Module:
    """Random numbers for its weights, such that what goes in keeps its scale; in place."""
    for owner in module.modules():
        for name, old in owner.named_parameters(recurse=False):
            value = _drawn(torch.empty(old.shape, device=device, dtype=dtype))
            owner._parameters[name] = nn.Parameter(value, requires_grad=False)
        for name, buffer in owner.named_buffers(recurse=False):
            owner._buffers[name] = buffer.to(device, dtype if buffer.is_floating_point() else None)
    return module


def _drawn(weight: Tensor) -> Tensor:
    """Weights of unit gain; of a bias or a norm, one dimension, small numbers about 1 at most."""
    if weight.dim() < 2:
        return weight.uniform_(0.0, 1.0)
    return weight.uniform_(-1.0, 1.0).mul_(math.sqrt(3 / weight[0].numel()))
