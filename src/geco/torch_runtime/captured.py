"""Passes recorded once for each set of shapes and replayed: one launch in place of hundreds.

A recording reads and writes the same memory every time. So a call copies its tensors into the recording's
inputs, replays, and copies the outputs out, each in one launch; what a caller gets is its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.memory import is_shortage
from geco.passes import Pass, Wrapped

# Shapes of one pass that are kept, the last used: a recording holds its activations' memory.
MOST_SHAPES = 4
WARM_UP = 3  # calls before a recording, as torch's documentation of CUDA graphs has it

Outputs = Tensor | tuple[Tensor, ...]
Key = tuple[tuple[torch.Size, torch.dtype], ...]


class Recorder(Protocol):
    """How a pass is recorded."""

    def record(self, run: Pass, inputs: Sequence[Tensor]) -> tuple[Outputs, Callable[[], object]]:
        """``run`` on ``inputs``: its outputs, and what computes them again in place, from the inputs' memory
        and into the outputs'.
        """


class CudaGraphs:
    """CUDA's graphs. All share one memory pool, since whatever leaves a recording is copied before the next
    one runs.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, run: Pass, inputs: Sequence[Tensor]) -> tuple[Outputs, Callable[[], object]]:
        """Raises ConfigError: the pass does something that a graph cannot hold."""
        stream = torch.cuda.Stream(inputs[0].device)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                run(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                outputs = run(*inputs)
        except RuntimeError as error:
            if is_shortage(error):
                raise
            raise ConfigError(
                f"a pass cannot be recorded as a CUDA graph: {str(error).splitlines()[0]}",
                "Leave graphs out of --device.",
            ) from error
        return outputs, graph.replay


class Captured(Wrapped):
    """A :data:`geco.passes.Pass` that is recorded at the first call with new shapes and replayed ever after.

    Args:
        run: the pass; it may touch nothing but its tensors and the weights, which must stay where they are.
        recorder: how.
    """

    def __init__(self, run: Pass, recorder: Recorder) -> None:
        super().__init__(run)
        self._recorder = recorder
        self._kept: OrderedDict[Key, tuple[list[Tensor], Outputs, Callable[[], object]]] = OrderedDict()

    @torch.no_grad()
    def otherwise(self, *tensors: Tensor) -> Outputs:
        """The outputs, which are the caller's own."""
        key = tuple((x.shape, x.dtype) for x in tensors)
        if key not in self._kept:
            while len(self._kept) >= MOST_SHAPES:
                self._kept.popitem(last=False)
            inputs = [x.detach().clone(memory_format=torch.contiguous_format) for x in tensors]
            self._kept[key] = (inputs, *self._recorder.record(self.run, inputs))
        self._kept.move_to_end(key)
        inputs, outputs, replay = self._kept[key]
        torch._foreach_copy_(inputs, list(tensors))
        replay()
        made = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        own = [torch.empty_like(x) for x in made]
        torch._foreach_copy_(own, made)
        return own[0] if isinstance(outputs, Tensor) else tuple(own)


class Graphs:
    """A :class:`geco.passes.Wrap`: every pass is :class:`Captured`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        return Captured(run, self._recorder)


class Compiled:
    """A :class:`geco.passes.Wrap`: ``torch.compile`` compiles every pass at the first call with new shapes.

    Args:
        backend: of torch.compile.
        then: wraps what was compiled.
    """

    def __init__(self, backend: str = "inductor", then: Graphs | None = None) -> None:
        self._backend, self._then = backend, then

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        compiled = _CompiledPass(run, self._backend)
        return compiled if self._then is None else self._then(parts, compiled)


class _CompiledPass(Wrapped):
    def __init__(self, run: Pass, backend: str) -> None:
        super().__init__(run)
        self._compiled: Any = torch.compile(run, dynamic=False, fullgraph=True, backend=backend)

    def otherwise(self, *tensors: Tensor) -> Outputs:
        try:
            made: Outputs = self._compiled(*tensors)
        except RuntimeError as error:
            if is_shortage(error):
                raise
            raise ConfigError(
                f"torch.compile cannot compile a pass: {str(error).strip().splitlines()[0]}",
                "Leave compiled out of --device.",
            ) from error
        return made
