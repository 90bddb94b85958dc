"""Resident memory of this process while something runs, above what it held before (Linux with glibc).

glibc keeps what is freed, so blocks from 64 kB up are made mappings of their own, which end when they are
freed, and its heap is trimmed before every measurement.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MMAP_THRESHOLD, _SMALLEST_MAPPING = -3, 1 << 16  # mallopt(3): M_MMAP_THRESHOLD


def give_back_at_once() -> None:
    """From here on, memory that is freed leaves the process."""
    ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _SMALLEST_MAPPING)


def most_while(function: Callable[[], Result]) -> tuple[Result, int]:
    """What ``function`` returns, and the bytes that were resident at most above those before it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    _CLEAR.write_text("5")  # forget the highest so far
    result = function()
    return result, resident("VmHWM") - before


def resident(what: str = "VmRSS") -> int:
    """Bytes of a line of the process's status: VmRSS now, VmHWM at most."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(what + ":"))
    return int(line.split()[1]) * 1024
