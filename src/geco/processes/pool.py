"""A pool of processes for many jobs: see :mod:`geco.processes.child` for what each of them survives."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from typing import Any

from geco.errors import ConfigError
from geco.processes.child import Child
from geco.processes.job import Bounds, Job, Outcome

ATTEMPTS = 2  # a crash may be the fault of a neighbour that ate the memory; a second one is the job's own


class Workers:
    """A pool for one function.

    Args:
        function: picklable, of one argument. A :class:`MeshError` it raises is the job's outcome, with its
            ``reason``; any other :class:`GecoError` (no space, a missing extra) ends the whole run; every
            other exception is an outcome too.
        count: processes.
    """

    def __init__(self, function: Callable[[Any], Any], count: int, bounds: Bounds | None = None) -> None:
        if count < 1:
            raise ConfigError(f"{count} workers", "Give at least one.")
        self.function, self.count, self.bounds = function, count, bounds or Bounds()
        self._idle: list[Child] = []
        self._busy: list[Child] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process, whatever it does."""
        for worker in [*self._idle, *self._busy]:
            worker.kill()
        self._idle, self._busy = [], []

    def run(self, jobs: Iterable[tuple[str, Any]]) -> Iterator[Outcome]:
        """Outcomes of (key, argument) pairs, as they finish. Jobs are taken in order, as workers become free.

        Raises:
            GecoError: raised by a job, other than a MeshError; or workers cannot start.
        """
        source = iter(jobs)
        again: deque[Job] = deque()
        left = True
        while left or again or self._busy:
            while (left or again) and len(self._busy) < self.count:
                if again:
                    job = again.popleft()
                else:
                    try:
                        job = Job(*next(source))
                    except StopIteration:
                        left = False
                        break
                worker = self._idle.pop() if self._idle else Child(self.function, self.bounds)
                self._busy.append(worker)
                worker.submit(job)
            for worker, outcome in self._collect():
                self._busy.remove(worker)
                if worker.alive:
                    self._idle.append(worker)
                else:
                    worker.kill()
                assert worker.job is not None
                worker.job.attempts += 1
                if outcome.reason == "crashed" and worker.job.attempts < ATTEMPTS:
                    again.append(worker.job)
                else:
                    yield outcome

    def _collect(self) -> list[tuple[Child, Outcome]]:
        """Wait for the next event; the workers whose jobs are over, with the outcomes."""
        if not self._busy:
            return []
        deadline = min(worker.deadline for worker in self._busy)
        wait([worker.connection for worker in self._busy], timeout=max(deadline - time.monotonic(), 0))
        found = [(worker, worker.poll()) for worker in self._busy]
        return [(worker, outcome) for worker, outcome in found if outcome is not None]
