"""A pass: what a network does between tensors and tensors, so that it may be run in another way than by
calling it: compiled, replayed from a graph, with its weights brought to the device for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import nn

# tensors in; a tensor or a tuple of tensors out, which depend on nothing but the tensors and the weights
Pass = Callable[..., Any]


class Wrap(Protocol):
    """Another way to run passes."""

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        """``run``, which needs the weights of ``parts``, run in this way."""


def plainly(parts: Sequence[nn.Module], run: Pass) -> Pass:
    """By calling it."""
    return run
