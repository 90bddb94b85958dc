"""Where a CPU wants its weights: what files give is mapped as it lies there, at any byte."""

from __future__ import annotations

import torch
from torch import nn

ALIGNED = 64  # bytes, of a cache line: torch's own tensors begin at multiples


def settle(module: nn.Module, channels_last: bool) -> None:
    """On a CPU bring weights to aligned memory, and convolutions' to the layout that is fastest there: so
    products are added up in the same order, and give the same bits, as in GECO.
    """
    for part in module.modules():
        for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
            if tensor.device.type == "cpu" and tensor.data_ptr() % ALIGNED:
                tensor.data = tensor.data.clone()
        if channels_last and isinstance(part, nn.Conv2d) and part.weight.device.type == "cpu":
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
