"""Products in half precision, and everything between them in float32.

Nearly all of a transformer's work is in its linear layers and in attention, and there half precision costs
little, since each result is a sum of many. What adds up from layer to layer, and what is small work, stays
in float32: the residual stream, norms and their statistics, class token and positions, convolutions, and
whatever is kept by name.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HalfLinear(nn.Module):
    """A linear layer that computes and answers in ``dtype``, whatever it is given."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.to(dtype), requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.to(dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


def halve(network: nn.Module, dtype: torch.dtype, kept: Collection[str] = ()) -> None:
    """Bring the linear layers of ``network``, and the bare projections of its attention, to ``dtype``, in
    place and for inference only; the names of the parameters stay.

    Args:
        kept: modules that stay in float32 with all that is in them, by the last part of their names.
    """
    for name, module in network.named_children():
        if name in kept:
            continue
        if isinstance(module, nn.Linear):
            setattr(network, name, HalfLinear(module, dtype))
        else:
            halve(module, dtype, kept)
    for name, weight in network.named_parameters(recurse=False):
        if name.endswith("proj_weight"):
            weight.data = weight.data.to(dtype)
