"""One step of any task on fake tensors: what rests on the card, and how high each update reaches.

    with simulated() as run, modules_stay(), as_on_cuda():
        with run.part("generator"):
            network = ...
        account = Rehearsal(run, task, resting).account()

Bytes are of tensors; what CUDA takes beside them is in :data:`RESERVE`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.simulated import Simulation
from geco.training.average import MovingAverage
from geco.training.machine import Machine, Precision
from geco.training.task import Part, Task

GB = 1e9
# Bytes beside tensors: CUDA's context (0.5 GB), workspaces of cuBLAS and cuDNN, and what the allocator cannot
# give out again. Assumed, since no card was here; 1 to 2 GB are usual.
RESERVE = int(1.5 * GB)
FORMATS: Mapping[Precision, torch.dtype | None] = {
    "no": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True)
class Account:
    """What a stage takes of a card, in bytes, and of its processors, in operations.

    Attributes:
        resting: what lies there between the steps, by name.
        moments: the most at any time of each update ("generator: forward"), everything that rests included.
        flop: of a step, by number format.
        samples: of a step.
        host: bytes that are kept in host memory instead, by name.
    """

    resting: Mapping[str, int]
    moments: Mapping[str, int]
    flop: Mapping[str, int]
    samples: int
    host: Mapping[str, int]

    @property
    def peak(self) -> int:
        """The most at any time."""
        return max([sum(self.resting.values()), *self.moments.values()])

    @property
    def needed(self) -> int:
        """What a card must have: the peak, and :data:`RESERVE`."""
        return self.peak + RESERVE


class FakeMachine(Machine):
    """A machine on which nothing is computed: products are counted in the format that the recipe asks for,
    whatever this computer has.
    """

    def __init__(self, precision: Precision) -> None:
        super().__init__("no", "cpu")
        self._format = FORMATS[precision]

    def autocast(self) -> AbstractContextManager[None]:
        if self._format is None:
            return nullcontext()
        return torch.autocast("cpu", dtype=self._format)


class Rehearsal:
    """A step of ``task``, whose networks were made inside of ``run``.

    Args:
        resting: bytes by name of what was made for it so far.
        accumulate: micro-batches a step; two show what many do.
    """

    def __init__(self, run: Simulation, task: Task, resting: Mapping[str, int], accumulate: int = 1) -> None:
        self._run, self._task, self._accumulate = run, task, accumulate
        self._resting, self._parts = dict(resting), list(task.parts())
        self._host: dict[str, int] = {}
        before = run.live
        kept = [part for part in self._parts if part.average]
        self._averages = {
            part.name: MovingAverage(part.network, part.average or 0.0, part.average_on) for part in kept
        }
        self._resting["moving average"] = run.live - before
        if there := sum(2 * _bytes(part) for part in kept if part.average_on == "host"):
            self._host["moving average"] = there

    def account(self) -> Account:
        """Run the step."""
        self._begin_optimizers()
        moments: dict[str, int] = {}
        flop: Counter[str] = Counter()
        for part in self._parts:
            for name, height, work in self._update(part):
                moments[f"{part.name}: {name}"] = max(height, moments.get(f"{part.name}: {name}", 0))
                flop.update({format_: count * part.repeats for format_, count in work.items()})
        samples = self._task.batch * self._accumulate
        return Account(self._resting, moments, dict(flop), samples, self._host)

    def _begin_optimizers(self) -> None:
        """Their states, by a first step of gradients that say nothing."""
        before = self._run.live
        for part in self._parts:
            for parameter in part.parameters:
                parameter.grad = torch.empty_like(parameter)
            self._step(part)
        self._resting["optimisers"] = self._run.live - before

    def _step(self, part: Part) -> None:
        for optimizer in part.optimizers:
            for group in optimizer.param_groups:
                if "fused" in group:  # the other ways ask for a number of their state, which has none here
                    group["fused"], group["foreach"] = True, False
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _update(self, part: Part) -> Iterator[tuple[str, int, Mapping[str, int]]]:
        """Moments of one update: their names, heights and operations."""
        rng = torch.Generator().manual_seed(0)
        part.network.train()
        calls = self._accumulate * part.pieces
        for micro in range(min(calls, 2)):
            times = calls - 1 if micro else 1
            with self._watched() as seen:
                loss, _ = part.loss(micro, rng)
            yield "forward", seen.peak, seen.times(times)
            with self._watched() as seen:
                torch.autograd.backward(loss / calls)
            del loss
            yield "backward", seen.peak, seen.times(times)
        with self._watched() as seen:
            clip(part)
            self._step(part)
            if average := self._averages.get(part.name):
                average.update(part.network)
        yield "step", seen.peak, {}

    @contextmanager
    def _watched(self) -> Iterator[_Seen]:
        """Count what happens inside, anew each time."""
        name = f"moment {len(self._run.parts)}"
        seen = _Seen()
        with self._run.part(name) as part:
            yield seen
        seen.peak, seen.flop = part.peak, part.flop


class _Seen:
    """What a moment came to, once it is over."""

    peak = 0

    def __init__(self) -> None:
        self.flop: Mapping[str, int] = {}

    def times(self, count: int) -> dict[str, int]:
        return {name: found * count for name, found in self.flop.items()}


def _bytes(part: Part) -> int:
    return sum(weight.numel() * weight.element_size() for weight in part.network.parameters())


def clip(part: Part) -> None:
    """As :meth:`geco.training.machine.Machine.clip`, without the scale of a loss."""
    found = [parameter for parameter in part.parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in found if p.grad is not None])
    torch.nn.utils.clip_grads_with_norm_(found, part.clip, norm)


@contextmanager
def as_on_cuda() -> Iterator[None]:
    """Inside, autocast leaves group and layer norms in float32, as CUDA's does; a CPU's takes them along.

    The functions themselves are replaced: a torch function mode does not reach what the backward pass
    computes again.
    """
    kept = F.group_norm, F.layer_norm
    F.group_norm, F.layer_norm = (_in_float32(function) for function in kept)
    try:
        yield
    finally:
        F.group_norm, F.layer_norm = kept


@contextmanager
def modules_stay() -> Iterator[None]:
    """Inside, ``Module.to`` changes formats only: all lies where it shall, and torch cannot exchange fake
    parameters that somebody watches.
    """
    kept = nn.Module.to
    nn.Module.to = _to  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        nn.Module.to = kept  # type: ignore[method-assign]


def _to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    _, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
    for owner in module.modules() if dtype is not None else ():
        for name, old in owner.named_parameters(recurse=False):
            if old.is_floating_point() and old.dtype != dtype:
                owner._parameters[name] = nn.Parameter(old.detach().to(dtype), old.requires_grad)
        for name, buffer in owner.named_buffers(recurse=False):
            owner._buffers[name] = buffer.to(dtype) if buffer.is_floating_point() else buffer
    return module


def _in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def called(*args: Any, **kwargs: Any) -> Tensor:
        if not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            return function(
                *(value.float() if isinstance(value, Tensor) else value for value in args),
                **{k: value.float() if isinstance(value, Tensor) else value for k, value in kwargs.items()},
            )

    return called
