"""Memory and work of torch code before it runs: the code itself on fake tensors, which have shapes, formats
and lifetimes but no numbers.

    with simulated() as run:
        with run.part("planes"):
            model(torch.empty(1, 6, 3, 320, 320), cameras)
    run.peak, run.parts["planes"].flop

Storages are followed from the operation that makes them to their end, each rounded up to 512 bytes as
CUDA's allocator does. Not counted: what a kernel takes for itself (workspaces), the device's context, and
what the allocator keeps without need. Tensors made before are taken as they are; their bytes are ``given``,
apart from ``live``. What depends on a tensor's numbers (``item``, ``nonzero``, ``numpy``) cannot run so.

Operations are a multiplication and an addition each counted as one, as in TFLOP/s of data sheets: products
and convolutions by torch's own formulas (``torch.utils.flop_counter``), everything else as none.
"""

from __future__ import annotations

import copy
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

ALLOCATED = 512  # bytes that CUDA's caching allocator rounds up to
WHOLE = "all"  # the name of the part that is open from beginning to end

Module = TypeVar("Module", bound=nn.Module)

_ATEN = torch.ops.aten
# Give memory or another look at it, and start no kernel; views that the schema knows are found by it.
_WITHOUT_KERNEL = {
    *(_ATEN.empty, _ATEN.empty_like, _ATEN.empty_strided, _ATEN.new_empty, _ATEN.new_empty_strided),
    *(
        _ATEN._unsafe_view,
        _ATEN.lift_fresh,
        _ATEN.set_,
        _ATEN.resize_,
        _ATEN._has_compatible_shallow_copy_type,
    ),
}
_ATTENTION_ON_CPU = _ATEN._scaled_dot_product_flash_attention_for_cpu
_ATTENTION_ON_CPU_BACKWARD = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass
class Part:
    """What happened while a part of the run was open.

    Attributes:
        before, peak, after: bytes alive when it began, at most, and when it ended; everything alive counts,
            whichever part made it.
        flop: operations by number format ("float16") of the products' inputs.
        moved: bytes that kernels read and wrote, each input and output once an operation.
        launches: operations that start a kernel; the backend may need several, or fuse some.
    """

    before: int = 0
    peak: int = 0
    after: int = 0
    flop: Counter[str] = field(default_factory=Counter)
    moved: int = 0
    launches: int = 0

    @property
    def added(self) -> int:
        """Bytes that the part needs beyond what was alive before it."""
        return self.peak - self.before


class Simulation(TorchDispatchMode):
    """A running account; made by :func:`simulated`.

    Attributes:
        live, peak: bytes of tensors made inside, now and at most.
        given: bytes of the tensors from outside that were used.
        parts: by name; ``"all"`` is everything.
    """

    def __init__(self, fake: FakeTensorMode, on_cpu: bool = False) -> None:
        super().__init__()
        self._fake, self._on_cpu = fake, on_cpu
        self._storages: dict[int, int] = {}
        self.live = self.given = 0
        self.parts: dict[str, Part] = {WHOLE: Part()}
        self._open = [self.parts[WHOLE]]

    @property
    def peak(self) -> int:
        return self.parts[WHOLE].peak

    @property
    def launches(self) -> int:
        return self.parts[WHOLE].launches

    @property
    def flop(self) -> Counter[str]:
        return self.parts[WHOLE].flop

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Count what happens inside under ``name``, too; parts may lie in each other. A name used again goes
        on where it was, its peak the highest of all.
        """
        part = self.parts.setdefault(name, Part(before=self.live))
        part.peak = max(part.peak, self.live)
        self._open.append(part)
        try:
            yield part
        finally:
            self._open.pop()
            part.after = self.live

    def placed(
        self, module: Module, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
    ) -> Module:
        """A copy of ``module`` in this run's memory; the module itself, from outside, stays as it is.

        Args:
            module: real, or built on ``meta``.
            dtype: of the copy's floating parameters and buffers; None keeps each one's own.
            device: another than the CPU's may be "meta"; attention counts there as its plain products, since
                no fused kernel is known.
        """
        tensors = [*module.parameters(), *module.buffers()]
        memo: dict[int, Any] = {id(old): _like(old, dtype, device) for old in tensors}
        return copy.deepcopy(module, memo)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = tree_map(self._taken, (args, kwargs or {}))
        if func._schema.name.startswith("prim::"):
            return func(*args, **kwargs)
        if torch.is_inference_mode_enabled():
            # There what autograd takes apart would arrive whole.
            with torch.inference_mode(False), torch.no_grad(), self:
                return func(*args, **kwargs)
        result = func(*args, **kwargs)
        for tensor in tree_iter(result):
            if isinstance(tensor, FakeTensor):
                self._follow(tensor)
        if self._on_cpu and func.overloadpacket is _ATEN.convolution:
            self._reach(self.live + _copied_by_onednn(args[0], args[1], result))
        self._count(func, args, kwargs, result)
        return result

    def _taken(self, value: Any) -> Any:
        """A tensor from outside as a fake one of this run, its bytes counted as given; the rest as it is."""
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
            return value
        fake = self._fake.from_tensor(value)
        if value.layout != torch.strided:  # a sparse one has several storages; only what is made of it counts
            return fake
        storage = fake.untyped_storage()
        if storage._cdata not in self._storages:
            self.given += storage.nbytes()
            self._storages[storage._cdata] = 0
            weakref.finalize(storage, self._storages.pop, storage._cdata, None)
        return fake

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._storages:
            return
        size = -(-storage.nbytes() // ALLOCATED) * ALLOCATED
        self._storages[key] = size
        self.live += size
        self._reach(self.live)
        weakref.finalize(storage, self._end, key)

    def _reach(self, height: int) -> None:
        for part in self._open:
            part.peak = max(part.peak, height)

    def _end(self, key: int) -> None:
        self.live -= self._storages.pop(key, 0)

    def _count(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        packet = func.overloadpacket
        if func.is_view or packet in _WITHOUT_KERNEL:
            return
        tensors = [x for x in tree_iter((args, kwargs, result)) if isinstance(x, Tensor)]
        if not tensors:
            return
        moved = sum(x.numel() * x.element_size() for x in tensors)
        flop = _operations(packet, args, kwargs, result)
        for part in self._open:
            part.launches += 1
            part.moved += moved
            if flop:
                part.flop[str(tensors[0].dtype).removeprefix("torch.")] += flop


@contextmanager
def simulated(on_cpu: bool = False) -> Iterator[Simulation]:
    """Inside, every tensor is fake; what runs is counted. Modules made inside have no memory either.

    Gradients, autocast and ``no_grad`` work as ever. A module from outside is used as it is and stays
    untouched. Simulate on the CPU's device even for a GPU: sizes and lifetimes are the same there.

    Args:
        on_cpu: count the copies in its own order that a CPU's convolution makes of picture and result, too.
    """
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, Simulation(fake, on_cpu) as run:
        yield run


def _like(tensor: Tensor, dtype: torch.dtype | None, device: torch.device | str) -> Tensor:
    """An empty one of the same shape and kind."""
    number = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=number, device=device)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _copied_by_onednn(picture: Tensor, weight: Tensor, result: Tensor) -> int:
    """Bytes beside ``result`` while torch's CPU convolution (oneDNN) runs; measured with torch 2.13.

    Where the weights are not channels-last, the picture is copied into blocks, the result is made in blocks
    and copied back; not for a kernel of one pixel. The weights tell, since a fake picture of a batch of one
    may claim to be channels-last where the real one is not.
    """
    if all(side == 1 for side in weight.shape[2:]):
        return 0
    if weight.dim() == 4 and not weight.is_contiguous():
        return 0
    return max(x.numel() * x.element_size() for x in (picture, result))


def _operations(packet: Any, args: Any, kwargs: Any, result: Any) -> int:
    """Multiply-adds counted as two operations, of products and convolutions; 0 for anything else."""
    if packet is _ATTENTION_ON_CPU:
        query, key, value = args[:3]
        return int(sdpa_flop_count(query.shape, key.shape, value.shape))
    if packet is _ATTENTION_ON_CPU_BACKWARD:  # five products where forward has two
        query, key, value = args[1:4]
        return int(sdpa_flop_count(query.shape, key.shape, value.shape) * 5 // 2)
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=result))
    return 0
