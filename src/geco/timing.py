"""A stopwatch for the stages of a run, and the name of what it was measured on."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator
from pathlib import Path


class Stopwatch:
    """Collects seconds by stage name, in order of first use; a repeated name adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body under ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def finish(self, offset: dict[str, float] | None = None) -> dict[str, float]:
        """All stages plus their sum as "total"; ``offset`` are stages shared with other samples,
        put in front.
        """
        stages = {**(offset or {}), **self.seconds}
        return {**stages, "total": sum(stages.values())}


def cpu_name() -> str:
    """The processor's model where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
