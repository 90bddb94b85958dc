"""How long work takes that was only counted: operations, bytes and launches by a machine's own rates."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from geco.simulated import Part
from geco.timing import cpu_name

HALF = ("float16", "bfloat16")


WAIT = 2.5  # launches that the host loses when it waits for a number (`benchmarks.on_device`: 20 of 8 us)


def combined(*pieces: tuple[float, Part]) -> Part:
    """Parts one after the other, each so many times."""
    flop: Counter[str] = Counter()
    for times, piece in pieces:
        for name, count in piece.flop.items():
            flop[name] += round(times * count)
    moved, launches = (sum(times * getattr(p, name) for times, p in pieces) for name in ("moved", "launches"))
    peak = max(piece.peak for _, piece in pieces)
    return Part(peak=peak, flop=flop, moved=round(moved), launches=round(launches))


@dataclass(frozen=True)
class Rates:
    """What a machine sustains.

    Attributes:
        half, single: operations a second of products in 16 and in 32 bits.
        bandwidth: bytes a second. launch: seconds of the host for an operation, outside of graphs.
        source: where the numbers are from.
    """

    name: str
    half: float
    single: float
    bandwidth: float
    launch: float
    source: str

    def seconds(self, part: Part) -> float:
        """Of a counted part: products, memory and launches go on beside each other, so the longest counts."""
        flop: Mapping[str, int] = part.flop
        products = sum(n / (self.half if name in HALF else self.single) for name, n in flop.items())
        return max(products, part.moved / self.bandwidth, part.launches * self.launch)


# Assumed, not measured: sustained rates with which the paper's own L40 times come out (teacher 6.3 s for
# 7.06, planes .05 for .06): 44 % of the L40's 181 TFLOP/s and 40 % of the H200's 989 in half precision.
_SOURCE = "assumed: 40 to 44 % in half precision; the L40's give the paper's times (arXiv 2405.20327)"
CARDS = (
    Rates("H200", 400e12, 45e12, 4.8e12, 8e-6, _SOURCE),
    Rates("L40", 80e12, 60e12, 0.86e12, 8e-6, _SOURCE),
)


def this_cpu() -> Rates:
    """Rates of this processor with torch's present threads, measured in about two seconds."""
    single, half = (_products(dtype) for dtype in (torch.float32, torch.bfloat16))
    source, target = torch.ones(1 << 25), torch.empty(1 << 25)
    copying = _best(lambda: target.copy_(source))
    small = torch.ones(8)
    launch = _best(lambda: [small.add_(0.0) for _ in range(1000)]) / 1000
    moved = 2 * source.numel() * source.element_size() / copying
    return Rates(cpu_name(), half, single, moved, launch, f"measured, {torch.get_num_threads()} threads")


def _products(dtype: torch.dtype, side: int = 1536) -> float:
    """Operations a second of square products."""
    a, b = (torch.ones(side, side, dtype=dtype) for _ in range(2))
    return 2 * side**3 / _best(lambda: a @ b)


def _best(function: Callable[[], object], repeats: int = 3) -> float:
    """The least seconds of a few calls, after one to warm up."""
    function()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return min(found)
