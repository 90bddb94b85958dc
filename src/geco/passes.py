"""A pass: what a network does between tensors and tensors, so that it may be run in another way than by
calling it: compiled, replayed from a graph, with its weights brought to the device for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

# tensors in; a tensor or a tuple of tensors out, which depend on nothing but the tensors and the weights
Pass = Callable[..., Any]


class Wrap(Protocol):
    """Another way to run passes."""

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        """``run``, which needs the weights of ``parts``, run in this way."""


def plainly(parts: Sequence[nn.Module], run: Pass) -> Pass:
    """By calling it."""
    return run


class Wrapped:
    """A pass run otherwise. A copy of its network runs it plainly, and so does a simulation
    (:mod:`geco.simulated`), whose tensors can neither be recorded nor moved.
    """

    def __init__(self, run: Pass) -> None:
        self.run = run

    def __call__(self, *tensors: Tensor) -> Any:
        simulated = any(isinstance(tensor, FakeTensor) for tensor in tensors)
        return self.plain(*tensors) if simulated else self.otherwise(*tensors)

    def plain(self, *tensors: Tensor) -> Any:
        """The pass by calling it."""
        return self.run(*tensors)

    def otherwise(self, *tensors: Tensor) -> Any:
        """The pass in this way."""
        raise NotImplementedError

    def __deepcopy__(self, memo: dict[int, Any]) -> Pass:
        copied: Pass = copy.deepcopy(self.run, memo)
        return copied
