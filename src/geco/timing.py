"""A stopwatch for the stages of a run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


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
        """All stages plus their sum as "total"; ``offset`` are stages shared with other samples, put in front."""
        stages = {**(offset or {}), **self.seconds}
        return {**stages, "total": sum(stages.values())}
