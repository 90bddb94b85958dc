"""Networks that take turns on a small device: one part's weights are there, the others' wait on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from geco.passes import Pass, Wrapped


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

        return _Turn(run, self, mine)

    def bring(self, parts: tuple[nn.Module, ...]) -> None:
        """Have the weights of ``parts`` on the device, and those of no other."""
        if parts == self._present:
            return
        for part in self._present:
            self._point(part, self._hosts[part])
        for part in parts:
            self._point(part, [host.to(self._device, non_blocking=True) for host in self._hosts[part]])
            self.brought += 1
        self._present = parts

    @property
    def largest(self) -> int:
        """Bytes of the largest part."""
        sizes = [sum(w.numel() * w.element_size() for w in host) for host in self._hosts.values()]
        return max(sizes, default=0)

    def _point(self, part: nn.Module, tensors: Sequence[Tensor]) -> None:
        for (owner, name, weight), tensor in zip(_weights(part), tensors, strict=True):
            parameter = isinstance(weight, nn.Parameter)
            setattr(owner, name, nn.Parameter(tensor, requires_grad=False) if parameter else tensor)


class _Turn(Wrapped):
    def __init__(self, run: Pass, turns: Turns, parts: tuple[nn.Module, ...]) -> None:
        super().__init__(run)
        self._turns, self._parts = turns, parts

    def otherwise(self, *tensors: Tensor) -> Any:
        self._turns.bring(self._parts)
        return self.run(*tensors)

    def plain(self, *tensors: Tensor) -> Any:
        """Where the weights are just now: a simulation moves none."""
        weights = next(self._parts[0].parameters()).device
        made = self.run(*(tensor.to(weights) for tensor in tensors))
        return tree_map(lambda tensor: tensor.to(tensors[0].device), made)


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
