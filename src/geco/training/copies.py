"""A network a second time, in another number format or place where asked for; also of a simulation's
(:mod:`geco.simulated`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

Network = TypeVar("Network")


def copy_of(
    network: Network, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> Network:
    """``network``, a module, with weights of its own; also of a simulation's (:mod:`geco.simulated`), whose
    tensors :func:`copy.deepcopy` alone cannot copy.

    Args:
        dtype: of the copy's floating parameters and buffers; None keeps each one's own.
        device: of the copy; None stays where each tensor is. No second copy is made on the way.
    """
    module = cast(nn.Module, network)
    memo: dict[int, Any] = {
        id(tensor): _copied(tensor, dtype, device) for tensor in (*module.parameters(), *module.buffers())
    }
    return copy.deepcopy(network, memo)


def in_format(module: nn.Module, dtype: torch.dtype) -> None:
    """Bring the floating parameters and buffers of ``module`` to ``dtype`` in place, one after the other, so
    that never all of them exist twice.
    """
    for part in module.modules():
        for name, tensor in part.named_parameters(recurse=False):
            part._parameters[name] = cast(nn.Parameter, _copied(tensor, dtype, None, afresh=False))
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = _copied(buffer, dtype, None, afresh=False)


def moved(module: nn.Module, device: torch.device) -> nn.Module:
    """``module`` on ``device``; nothing is done where it is there, which a simulation's would not bear."""
    tensors = (*module.parameters(), *module.buffers())
    return module if all(tensor.device == device for tensor in tensors) else module.to(device)


@contextmanager
def really() -> Iterator[None]:
    """Inside, tensors are real though a simulation is on: for what needs numbers, and for libraries that move
    modules about, which fake tensors do not bear.
    """
    with _disable_current_modes():
        yield


def _copied(
    tensor: Tensor, dtype: torch.dtype | None, device: torch.device | str | None, afresh: bool = True
) -> Tensor:
    """The tensor so; itself where nothing changes, unless ``afresh``."""
    number = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    made = tensor.detach().to(device=device or tensor.device, dtype=number, copy=afresh)
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
