"""The places where the host waits for the device: each of them has a name, and there are no others.

A wait empties the device's queue, which costs a launch or two; tests count them. The name shows in
``torch.profiler`` as "wait: NAME".
"""

from __future__ import annotations

from typing import Any

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


def array(values: Tensor, name: str) -> NDArray[Any]:
    """Numbers brought to the host."""
    with torch.profiler.record_function(f"wait: {name}"):
        return values.detach().cpu().numpy()
