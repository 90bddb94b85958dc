"""What the path on the device asks of it: ``python -m benchmarks.on_device``.

Launches, bytes and waits of every stage from fields to the finished mesh, and the time that these foretell
on a card. Runs on the CPU device, where every operation is the one that a card would run; nothing is timed
there. The object is `benchmarks.surface`'s figure with analytic colours, so that the networks' own work is
left out. With ``--device cuda`` the whole is timed too, the median of ``--repeats``. JSON on the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from benchmarks.surface import OBJECTS, RESOLUTION, Fields, prepared
from geco.isosurface.tensor_grid import TensorGrid
from geco.on_device import waits
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

# Seconds a launch from Python, seconds a wait, bytes a second: an H200's host and its 4.8 TB/s at 70 %.
LAUNCH, WAIT, BANDWIDTH = 8e-6, 2e-5, 3.4e12
_ATEN = torch.ops.aten
# What makes a tensor without starting a kernel, beside views.
_NO_KERNEL = {
    _ATEN.empty, _ATEN.empty_like, _ATEN.new_empty, _ATEN.empty_strided, _ATEN.detach, _ATEN.lift_fresh,
    _ATEN._local_scalar_dense, _ATEN.is_same_size, _ATEN.scalar_tensor,
}  # fmt: skip


@dataclass
class Stage:
    """What one stage asks of the device; ``waits`` by name."""

    launches: int = 0
    moved: int = 0
    waits: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """Foretold: the device works while the host launches, so the longer of both, and the waits."""
        return max(self.launches * LAUNCH, self.moved / BANDWIDTH) + self.waits.total() * WAIT


class Count(TorchDispatchMode):
    """Counts what runs inside, by stage; ``hidden`` are waits that no name was given to."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: dict[str, Stage] = {}
        self.stage = self.stages.setdefault("before", Stage())
        self.operations: Counter[str] = Counter()
        self.hidden: Counter[str] = Counter()
        self._named = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        self.operations[str(packet)] += 1
        if not self._named and _makes_the_host_wait(packet, args, kwargs or {}):
            self.hidden[str(packet)] += 1
        tensors = [x for x in tree_iter((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if not func.is_view and packet not in _NO_KERNEL and tensors:
            self.stage.launches += 1
            self.stage.moved += sum(x.numel() * x.element_size() for x in tensors)
        return result

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """A wait of that name."""
        self.stage.waits[name] += 1
        self._named += 1
        try:
            yield
        finally:
            self._named -= 1


def _makes_the_host_wait(packet: Any, args: Any, kwargs: Any) -> bool:
    """Whether the host learns a number or a size from the device here."""
    if packet in (_ATEN.index, _ATEN.index_put, _ATEN.index_put_):
        return any(x is not None and x.dtype == torch.bool for x in args[1])
    if packet is _ATEN.repeat_interleave:
        return kwargs.get("output_size") is None
    asked = (_ATEN._local_scalar_dense, _ATEN.nonzero, _ATEN.masked_select, _ATEN._unique2, _ATEN.equal)
    return packet in (*asked, _ATEN.unique_dim, _ATEN.unique_consecutive, _ATEN.bincount)


class CountingWatch(Stopwatch):
    """Gives what is counted to the stage that is open."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self.count = count

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the body under a name."""
        self.count.stage = self.count.stages.setdefault(name, Stage())
        yield


@contextmanager
def counting() -> Iterator[Count]:
    """Everything inside is counted, and each wait by its name."""
    count = Count()

    def told(function: Any) -> Any:
        def wait(value: Any, name: str) -> Any:
            with count.named(name):
                return function(value, name)

        return wait

    names = ("number", "places", "array")
    with patch.multiple(waits, **{name: told(getattr(waits, name)) for name in names}), count:
        yield count


class DeviceFields(Fields):
    """The benchmark's fields, answering in tensors."""

    def __init__(self, fields: Fields, device: str) -> None:
        super().__init__(fields._grid)
        self.device = torch.device(device)
        grid = self._grid
        parts = (grid.vertices, grid.sdf, grid.cubes, grid.beta, grid.alpha, grid.gamma)
        tensors = [torch.from_numpy(np.asarray(part)).to(device) for part in parts]
        self._tensors = TensorGrid(*tensors[:2], tensors[2].long(), *tensors[3:], grid.weight_scale)

    def tensor_grid(self, resolution: int) -> TensorGrid:
        """The same at any resolution."""
        return self._tensors

    def tensor_color(self, points: torch.Tensor) -> torch.Tensor:
        """Broad areas with fine stripes."""
        x, y, z = points.unbind(dim=1)
        broad = torch.stack([0.3 * torch.sin(5 * z), 0.3 * torch.cos(4 * y), 0.3 * torch.sin(6 * x)], dim=1)
        return 0.5 + broad + 0.1 * torch.sin(60 * (x + z))[:, None]


def timed(fields: DeviceFields, picture: np.ndarray, size: int, repeats: int) -> float:
    """Median seconds of the whole, after two runs to warm up."""
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        surface_to_asset(fields, picture, AssetOptions(on_device=True), RESOLUTION, size, Stopwatch())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--object", default="figure", choices=list(OBJECTS))
    parser.add_argument("--size", type=int, default=1024, help="texels a side")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    analytic, picture = prepared(OBJECTS[options.object])
    fields = DeviceFields(analytic, options.device)
    with counting() as count:
        mesh, facts = surface_to_asset(
            fields, picture, AssetOptions(on_device=True), RESOLUTION, options.size, CountingWatch(count)
        )
    assert facts["projected"], facts
    whole = Stage()
    print(f"{'stage':14}{'launches':>10}{'MB moved':>10}{'waits':>7}{'ms foretold':>13}")
    for name, stage in count.stages.items():
        print(f"{name:14}{stage.launches:10}{stage.moved / 1e6:10.0f}{stage.waits.total():7}"
              f"{1e3 * stage.seconds:13.1f}")  # fmt: skip
        whole.launches, whole.moved = whole.launches + stage.launches, whole.moved + stage.moved
        whole.waits.update(stage.waits)
    row: dict[str, Any] = {
        "benchmark": "on_device", "faces": len(mesh.faces), "texture": options.size,
        "launches": whole.launches, "bytes": whole.moved, "waits": dict(whole.waits),
        "hidden_waits": dict(count.hidden), "foretold_ms": round(1e3 * whole.seconds, 1),
    }  # fmt: skip
    if fields.device.type == "cuda":
        row["measured_ms"] = round(1e3 * timed(fields, picture, options.size, options.repeats), 1)
    print(f"{len(mesh.faces):,} faces; the most frequent operations:", count.operations.most_common(12))
    print(json.dumps(row))


if __name__ == "__main__":
    main()
