"""Where networks run and in which number format: decided here and nowhere else, with the reason said."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from geco.errors import ConfigError

Purpose = Literal["inference", "training"]
Way = Literal["graphs", "compiled", "offload", "tiled"]
# How the full family may be run, for inference.
WAYS: dict[Way, str] = {
    "graphs": "passes recorded as CUDA graphs",
    "compiled": "passes compiled by torch.compile",
    "offload": "one network on the device at a time",
    "tiled": "views decoded in overlapping tiles",
}
_DTYPES = {"float32": torch.float32, "fp32": torch.float32, "float16": torch.float16, "fp16": torch.float16}
_DTYPES |= {"bfloat16": torch.bfloat16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Placement:
    """A device, the format of the weights on it, and why; ``str()`` is the line that gets printed."""

    device: torch.device
    dtype: torch.dtype
    why: str
    ways: frozenset[Way] = frozenset()

    def __str__(self) -> str:
        ways = "".join(f", {WAYS[way]}" for way in WAYS if way in self.ways)
        return f"{self.device} in {str(self.dtype).removeprefix('torch.')}{ways} ({self.why})"

    def check_ways(self, known: Collection[Way], what: str) -> None:
        """Raises ConfigError: asked for a way that ``what`` cannot be run in."""
        for way in WAYS:
            if way in self.ways and way not in known:
                raise ConfigError(f"{what} cannot be run with {way}", f"Leave {way} out of --device.")


def choose(device: str | None = None, dtype: str | None = None, purpose: Purpose = "inference") -> Placement:
    """Pick a device and a format.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps"; None takes CUDA, else MPS, else the CPU. A format may follow:
            "cpu,bf16", and any of :data:`WAYS`: "cuda,bf16,graphs".
        dtype: "float32", "float16" or "bfloat16" (short: fp32, fp16, bf16); None chooses by device and
            purpose.
        purpose: for training the weights are always float32 by default; mixed precision is the training
            loop's business.

    Raises:
        ConfigError: unknown or absent device, or unknown format; ways that exclude each other, or the device
            or the purpose.
    """
    name, *behind = (device or "").split(",")
    ways = frozenset(way for way in WAYS if way in behind)
    formats = [word for word in behind if word and word not in WAYS]
    if len(formats) > 1:
        raise ConfigError(f"{device!r} names several number formats", "Name one.")
    dtype = formats[0] if formats else dtype
    place, reason = _device(name or None)
    _check_ways(ways, place, purpose)
    if dtype is None:
        number, because = _default_dtype(place, purpose)
    elif dtype in _DTYPES:
        number, because = _DTYPES[dtype], "format as asked"
    else:
        known = ", ".join([*_DTYPES, *WAYS])
        raise ConfigError(f"unknown number format {dtype!r}", f"A device may be followed by {known}.")
    return Placement(place, number, f"{reason}; {because}", ways)


def _check_ways(ways: Collection[Way], device: torch.device, purpose: Purpose) -> None:
    if ways and purpose == "training":
        raise ConfigError(f"{', '.join(sorted(ways))} is for inference", "Leave it out of --device.")
    if "graphs" in ways and device.type != "cuda":
        raise ConfigError(f"{device} has no CUDA graphs", "Leave graphs out of --device, or use cuda.")
    if "offload" in ways and ("graphs" in ways or "compiled" in ways):
        raise ConfigError(
            "weights that come and go fit no recorded or compiled pass",
            "Leave offload, or graphs and compiled, out of --device.",
        )
    if "compiled" in ways and device.type == "cpu" and not _has_compiler():
        raise ConfigError(
            "torch.compile needs a C++ compiler, and none is here",
            "Install g++ or clang, or name one in the variable CXX; or leave compiled out of --device.",
        )


def _has_compiler() -> bool:
    """Whether one of the compilers that torch.compile looks for on a CPU is installed."""
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ([named] if named else ["g++", "clang++", "cl"]))


@functools.cache
def has_bf16(device: torch.device | str) -> bool:
    """Whether ``device`` computes in bfloat16 by itself.

    A CPU that only emulates it takes six times as long as in float32 (measured with AVX2: the small teacher).
    """
    kind = torch.device(device).type
    if kind == "cpu":  # older torch does not tell: float32 then, which is never wrong
        tests = (
            getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
        return any(test() for test in tests if test is not None)
    # Ampere; what is older emulates it
    return kind == "mps" or torch.cuda.get_device_capability(device) >= (8, 0)


def autocast_bf16(device: torch.device | str) -> torch.autocast:
    """A context that computes matrix products and convolutions in bfloat16 where that is faster,
    and in float32 elsewhere.
    """
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=has_bf16(device))


@contextmanager
def tf32(device: torch.device | str) -> Iterator[None]:
    """While inside, float32 products on CUDA round their factors to TF32's eleven bits and run on the tensor
    cores (convolutions do so by torch's default); elsewhere nothing changes.

    The switch is torch's own and holds for the whole process, so it is put back on the way out: what must be
    exact, such as a signed distance, is computed outside.
    """
    if torch.device(device).type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def channels_last(network: nn.Module) -> None:
    """The memory layout in which a CPU's convolutions are fastest, in place; not on a GPU, whose
    norms want the plain one.
    """
    if next(network.parameters()).is_cuda:
        return
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def _device(name: str | None) -> tuple[torch.device, str]:
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda"), f"found {torch.cuda.get_device_name()}"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "found Apple's GPU"
        return torch.device("cpu"), "no GPU found"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {name!r}", "Use cpu, cuda, cuda:N or mps.") from error
    first = device.index in (None, 0)
    present = {
        "cpu": first,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": first and torch.backends.mps.is_available(),
    }
    if device.type not in present:
        raise ConfigError(f"device {name!r} is not supported", "Use cpu, cuda, cuda:N or mps.")
    if not present[device.type]:
        raise ConfigError(
            f"device {name!r} is not there", "Leave --device out to let it be chosen, or use cpu."
        )
    # there is one: libraries that read a device's name know no "cpu:0"
    return device if device.type == "cuda" else torch.device(device.type), "device as asked"


def _default_dtype(device: torch.device, purpose: Purpose) -> tuple[torch.dtype, str]:
    if purpose == "training":
        return torch.float32, "training keeps its weights in float32"
    if device.type == "cpu":
        return torch.float32, "CPUs compute fastest and exactly in float32"
    # The public models are published and run in float16; it has three bits more than bfloat16.
    return torch.float16, "GPUs run inference in float16, as the public models do"
