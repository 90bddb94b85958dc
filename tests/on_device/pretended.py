"""A device that is not there: tensors that say they are on it, and whose work the CPU does.

As on a card, tensors of the host cannot be mixed with them (but for single numbers), what is brought to the
host is brought by a copy, and the host learns no number or size without waiting.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

# The one kind of device beside the CPU that torch always knows and asks no driver for.
DEVICE = torch.device("meta")
_ATEN = torch.ops.aten
_CPU = torch.device("cpu")
_PRODUCTS = {_ATEN.mm, _ATEN.mv, _ATEN.bmm, _ATEN.addmm, _ATEN.addmv, _ATEN.baddbmm, _ATEN.dot}


class Pretended(torch.Tensor):
    """A tensor on :data:`DEVICE`; ``inner`` has its numbers."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Pretended:
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), dtype=inner.dtype, device=DEVICE
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of PretendedDevice")


class PretendedDevice(TorchDispatchMode):
    """Inside, :data:`DEVICE` works. ``waited`` counts what made the host wait; ``sent`` what it sent."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: Counter[str] = Counter()
        self.sent = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        packet, given = func.overloadpacket, [*tree_iter((args, kwargs))]
        ours = {id(x.inner): x for x in given if isinstance(x, Pretended)}
        target = kwargs.get("device") or (DEVICE if ours else _CPU)
        hosts = [x for x in given if isinstance(x, torch.Tensor) and not isinstance(x, Pretended)]
        copies = packet is _ATEN._to_copy
        if ours or target == DEVICE:
            mixed = any(x.dim() for x in hosts)
            assert copies or not mixed, f"{func} mixes tensors of the host with the device's"
            floats = all(x.is_floating_point() for x in ours.values())
            assert floats or packet not in _PRODUCTS, f"{func}: CUDA has no products of whole numbers"
            self._count(packet, args, kwargs)
        if copies and hosts and target == DEVICE:
            self.sent += 1
            self.waited["blocking copy to the device"] += not kwargs.get("non_blocking")
        if ours and target == _CPU:
            self.waited["copy to the host"] += 1
        if "device" in kwargs:
            kwargs["device"] = _CPU
        plain, named = tree_map(lambda x: x.inner if isinstance(x, Pretended) else x, (args, kwargs))
        result = func(*plain, **named)
        if target != DEVICE:
            return result

        def returned(value: Any) -> Any:
            """The same tensor where it was changed in place."""
            if not isinstance(value, torch.Tensor):
                return value
            return ours[id(value)] if id(value) in ours else Pretended(value)

        return tree_map(returned, result)

    def _count(self, packet: Any, args: Any, kwargs: Any) -> None:
        if packet in (_ATEN.index, _ATEN.index_put, _ATEN.index_put_):
            self.waited[str(packet)] += any(x is not None and x.dtype == torch.bool for x in args[1])
        elif packet is _ATEN.repeat_interleave:
            self.waited[str(packet)] += kwargs.get("output_size") is None
        elif packet in (_ATEN._local_scalar_dense, _ATEN.nonzero, _ATEN.masked_select, _ATEN._unique2):
            self.waited[str(packet)] += 1


def sent(module: torch.nn.Module) -> None:
    """The module's parameters and buffers on the device; inside of :class:`PretendedDevice`."""
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            tensors.update({name: Pretended(t.data) for name, t in tensors.items() if t is not None})
