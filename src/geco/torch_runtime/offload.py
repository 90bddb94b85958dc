"""Networks that take turns on a small device: one part's weights are there, the others' wait on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from geco.passes import Pass


class Turns:
    """A :class:`geco.passes.Wrap`: before a pass its parts' weights are brought to ``device``, and those of
    the part before it let go. A part stays until another one's turn comes, so a sampler's steps move nothing.

    The host keeps every weight for good and inference changes none, so nothing is ever copied back. Whatever
    belongs to no pass (decoders on planes, the empty prompt's states) stays where it is.

    Attributes:
        brought: how often a part was brought to the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.brought = 0
        self._present: tuple[nn.Module, ...] = ()
        self._hosts: dict[nn.Module, list[Tensor]] = {}

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        mine = tuple(parts)
        for part in mine:
            if part not in self._hosts:
                self._hosts[part] = [_kept(weight) for _, _, weight in _weights(part)]
                self._point(part, self._hosts[part])

        def turn(*tensors: Tensor) -> Any:
            self._bring(mine)
            return run(*tensors)

        return turn

    def _bring(self, parts: tuple[nn.Module, ...]) -> None:
        if parts == self._present:
            return
        for part in self._present:
            self._point(part, self._hosts[part])
        for part in parts:
            self._point(part, [host.to(self._device, non_blocking=True) for host in self._hosts[part]])
            self.brought += 1
        self._present = parts

    def _point(self, part: nn.Module, tensors: Sequence[Tensor]) -> None:
        for (owner, name, weight), tensor in zip(_weights(part), tensors, strict=True):
            parameter = isinstance(weight, nn.Parameter)
            setattr(owner, name, nn.Parameter(tensor, requires_grad=False) if parameter else tensor)


def _weights(part: nn.Module) -> list[tuple[nn.Module, str, Tensor]]:
    """Every parameter and buffer with its owner and its name there."""
    return [
        (owner, name, weight)
        for owner in part.modules()
        for named in (owner.named_parameters(recurse=False), owner.named_buffers(recurse=False))
        for name, weight in named
    ]


def _kept(weight: Tensor) -> Tensor:
    """On the host, in pages that a GPU reads by itself where there is one."""
    host = weight.detach().cpu()
    return host.pin_memory() if torch.cuda.is_available() else host
