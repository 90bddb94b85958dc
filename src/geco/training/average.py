"""The moving average of a network's weights, on the network's device or in the host's memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from geco.training.sharding import local

Place = Literal["device", "host"]


class MovingAverage:
    """Exponential moving average of a network's parameters, of this process's pieces where it is sharded; the
    decay grows to ``decay`` so that early averages follow.

    Args:
        on: "host" keeps it in the host's memory, twice (the average, and the weights on their way to it):
            none of it on a card. :meth:`update` then waits for the weights' way alone; they are averaged
            while the next step is computed. In a simulation such an average takes no memory.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999, on: Place = "device") -> None:
        self.decay, self.on = decay, on
        self.updates = 0
        self.values: dict[str, Tensor] = {}
        self._arrived: dict[str, Tensor] = {}
        self._averaging: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, "average") if on == "host" else None
        for name, parameter in _pieces(network).items():
            if on == "device":
                self.values[name] = parameter.clone()
            elif not isinstance(parameter, FakeTensor):
                self.values[name], self._arrived[name] = (_on_host(parameter) for _ in range(2))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's weights as they are now into the average."""
        self.wait()
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        parameters = _pieces(network)
        values = list(self.values.values())
        if self._thread is None:
            torch._foreach_lerp_(values, [parameters[name] for name in self.values], weight)
        elif values:
            for name, arrived in self._arrived.items():
                arrived.copy_(parameters[name], non_blocking=True)
            if parameters[name].is_cuda:
                torch.cuda.current_stream(parameters[name].device).synchronize()
            self._averaging = self._thread.submit(_average, values, list(self._arrived.values()), weight)

    def wait(self) -> None:
        """Until the last update is in :attr:`values`."""
        if self._averaging is not None:
            self._averaging.result()
            self._averaging = None

    @contextmanager
    def swapped(self, network: nn.Module) -> Iterator[None]:
        """The average in ``network``, and its own weights in the average's place, one parameter after the
        other: no second copy of either. Nothing is updated or saved inside.
        """
        self._swap(network)
        try:
            yield
        finally:
            self._swap(network)

    @torch.no_grad()
    def _swap(self, network: nn.Module) -> None:
        self.wait()
        parameters = _pieces(network)
        for name, value in self.values.items():
            own = parameters[name].to(value.device, copy=True)
            parameters[name].copy_(value)
            value.copy_(own)

    def state_dict(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        self.wait()
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave, of either place."""
        self.wait()
        self.updates = state["updates"]
        for name, value in self.values.items():
            value.copy_(state["values"][name])


def _pieces(network: nn.Module) -> dict[str, Tensor]:
    """What this process holds of each parameter: all of it, where the network is not sharded."""
    return {name: local(parameter.detach()) for name, parameter in network.named_parameters()}


def _on_host(parameter: Tensor) -> Tensor:
    """A copy in the host's memory, pinned where a card copies to it."""
    made = torch.empty(parameter.shape, dtype=parameter.dtype, pin_memory=parameter.is_cuda)
    return made.copy_(parameter.detach())


@torch.no_grad()
def _average(values: list[Tensor], arrived: list[Tensor], weight: float) -> None:
    torch._foreach_lerp_(values, arrived, weight)
