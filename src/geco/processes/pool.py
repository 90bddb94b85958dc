"""A pool of processes for many jobs: see :mod:`geco.processes.child` for what each of them survives."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import wait
from typing import Any

from geco.errors import ConfigError
from geco.processes.child import ONE_THREAD, Child, NotStartedError
from geco.processes.job import Bounds, Job, Outcome

LONGEST = 86_400.0  # seconds of one wait: poll() takes no more than 2^31 milliseconds
STARTS = 3  # of processes that may fail in a row: one may be killed while it loads, three have a reason
# A crash may be the fault of a neighbour that ate the memory, or of somebody who ended the process; the third
# one is the job's own. It is tried again when all others are done, so that it costs them no time.
ATTEMPTS = 3


class Workers:
    """A pool for one function.

    Args:
        function: picklable, of one argument. A :class:`MeshError` it raises is the job's outcome, with its
            ``reason``; any other :class:`GecoError` (no space, a missing extra) ends the whole run; every
            other exception is an outcome too.
        count: processes.
        environment: variables of each; by default one thread a library.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        count: int,
        bounds: Bounds | None = None,
        environment: Mapping[str, str] = ONE_THREAD,
    ) -> None:
        if count < 1:
            raise ConfigError(f"{count} workers", "Give at least one.")
        self.function, self.count, self.bounds = function, count, bounds or Bounds()
        self._environment = environment
        self._idle: list[Child] = []
        self._busy: list[Child] = []
        self._failed_starts = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process, whatever it does."""
        for worker in [*self._idle, *self._busy]:
            worker.kill()
        self._idle, self._busy = [], []

    def prepare(self) -> Any:
        """Start all processes, side by side, and wait until each can take its first job; what the function's
        own ``prepare`` returned. Without it they start as jobs come.

        Raises:
            GecoError: one cannot start, or its ``prepare`` raised it.
        """
        self._idle += [self._start() for _ in range(self.count - len(self._idle))]
        prepared = [worker.wait_ready() for worker in self._idle]
        return prepared[0]

    def run(self, jobs: Iterable[tuple[str, Any]], seconds: float | None = None) -> Iterator[Outcome]:
        """Outcomes of (key, argument) pairs, as they finish. Jobs are taken in order, as workers become free.

        Args:
            seconds: that each may take; None: those of the bounds.

        Raises:
            GecoError: raised by a job, other than a MeshError; or workers cannot start.
        """
        source = iter(jobs)
        again: deque[Job] = deque()
        left = True
        while left or again or self._busy:
            while (left or again) and len(self._busy) < self.count:
                job = None
                if left:
                    job = next((Job(*each, seconds=seconds) for each in source), None)
                    left = job is not None
                if job is None:
                    if not again:
                        break
                    job = again.popleft()
                worker = self._idle.pop() if self._idle else self._start()
                self._busy.append(worker)
                worker.submit(job)
            for worker, outcome in self._collect():
                self._busy.remove(worker)
                if worker.alive:
                    self._idle.append(worker)
                else:
                    worker.kill()
                assert worker.job is not None
                if outcome is None:
                    again.append(worker.job)
                    continue
                worker.job.attempts += 1
                if outcome.reason == "crashed" and worker.job.attempts < ATTEMPTS:
                    again.append(worker.job)
                else:
                    yield outcome

    def _start(self) -> Child:
        return Child(self.function, self.bounds, self._environment)

    def _collect(self) -> list[tuple[Child, Outcome | None]]:
        """Wait for the next event; the workers whose jobs are over, with the outcomes; None of a process that
        did not come up again after a crash.
        """
        if not self._busy:
            return []
        deadline = min(worker.deadline for worker in self._busy)
        left = min(max(deadline - time.monotonic(), 0), LONGEST)
        wait([worker.connection for worker in self._busy], timeout=left)
        found: list[tuple[Child, Outcome | None]] = []
        for worker in self._busy:
            try:
                outcome = worker.poll()
            except NotStartedError:
                self._failed_starts += 1
                if self._failed_starts >= STARTS:
                    raise
                found.append((worker, None))
                continue
            if outcome is not None:
                self._failed_starts = 0
                found.append((worker, outcome))
        return found
