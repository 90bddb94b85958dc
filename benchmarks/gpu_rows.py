"""Rows of a benchmark that may be killed: each is kept in a file once measured, and not measured again."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.resident import most_while
from geco.device import Placement
from geco.timing import cpu_name


@dataclass(frozen=True)
class Measurable:
    """One row.

    Attributes:
        name: of the row.
        run: what is timed.
        times: the row's milliseconds are so many of ``run``'s: 75 steps by one, for instance.
        most: most repeats, whatever was asked.
        facts: for the row beside its times, asked after the last run.
    """

    name: str
    run: Callable[[], object]
    times: float = 1
    most: int = 1000
    facts: Callable[[], Mapping[str, Any]] = dict


class Rows:
    """What was measured in one place; ``identity`` are the settings under which a row counts as the same."""

    def __init__(self, path: Path, placement: Placement, size: str) -> None:
        self.path, self.device = path, placement.device
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else cpu_name()
        dtype = str(placement.dtype).removeprefix("torch.")
        self.identity = {"machine": name, "dtype": dtype, "size": size, "torch": torch.__version__}
        self.found: dict[str, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.is_file() else []:
            row = json.loads(line)
            if all(row.get(key) == value for key, value in self.identity.items()):
                self.found[row["row"]] = row

    def measure(self, part: Measurable, repeats: int, seconds: float) -> dict[str, Any]:
        """The median of warm, synchronised runs: as many as asked, or as fit into ``seconds``."""
        if part.name in self.found:
            return self.found[part.name]
        self._wait()
        first, peak = self._first(part.run)
        count = max(1, min(repeats, part.most, int(seconds / max(first, 1e-6))))
        if count > 1 and first < seconds / 4:
            part.run()  # warm: the first chose its kernels
        times = [self._timed(part.run) for _ in range(count)]
        row = {"row": part.name, "ms": round(1e3 * part.times * statistics.median(times), 3), "n": count}
        if part.times != 1:
            row["by"] = f"{part.times:g} times what was run"
        self._keep(row | {"peak_mb": round(peak / 1e6, 1), **part.facts()})
        return self.found[part.name]

    def leave_out(self, name: str, why: str) -> None:
        """Not kept, so that the next run tries again."""
        print(f"{name}: left out, {why}", flush=True)

    def _keep(self, row: dict[str, Any]) -> None:
        row |= self.identity
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.found[row["row"]] = row

    def _first(self, run: Callable[[], object]) -> tuple[float, int]:
        """Seconds of the first run, and the most bytes in use: on CUDA of tensors, weights among them; on a
        CPU resident above what was there before.
        """
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return self._timed(run), torch.cuda.max_memory_allocated(self.device)
        if not Path("/proc/self/clear_refs").exists():
            return self._timed(run), 0
        return most_while(lambda: self._timed(run))

    def _timed(self, run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
