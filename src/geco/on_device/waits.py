"""Traffic with the host. It waits for the device here alone, each time under a name; what it sends, it sends
without waiting.

A wait empties the device's queue, which costs a launch or two; tests count them. The name shows in
``torch.profiler`` as "wait: NAME".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def number(value: Tensor, name: str) -> int:
    """A whole number or a flag (one element) on the host: a size, or whether there is anything left to do."""
    with torch.profiler.record_function(f"wait: {name}"):
        return int(value)


def places(mask: Tensor, name: str) -> Tensor:
    """(K,) int64 where a mask (N,) is set, on the device; the host learns K."""
    with torch.profiler.record_function(f"wait: {name}"):
        return torch.nonzero(mask)[:, 0]


def sent(values: NDArray[Any], device: torch.device | str) -> Tensor:
    """Numbers of the host on the device; they are copied before this returns, but not waited for."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device, non_blocking=True)


def array(values: Tensor, name: str) -> NDArray[Any]:
    """Numbers brought to the host."""
    with torch.profiler.record_function(f"wait: {name}"):
        return values.detach().cpu().numpy()
