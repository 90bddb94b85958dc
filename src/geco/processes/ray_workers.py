"""The same jobs on many machines: one Ray actor a CPU, each with a crash-proof worker process of its own.

Every machine must see the objects and the output under the same paths, and have this package installed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from geco.errors import ConfigError, GecoError, MissingExtraError
from geco.processes.child import START_SECONDS
from geco.processes.job import Bounds, Outcome
from geco.processes.pool import ATTEMPTS, Workers

LOST = "lost"  # within: the actor is gone


@dataclass(frozen=True)
class Cluster:
    """Where the workers are, and what each of them takes.

    Attributes:
        address: of a running cluster (``HOST:PORT``, ``auto``, ``ray://…``), or ``local`` to start one here.
        gpu: whether each has a GPU of its own.
        purpose: what Ray is wanted for, where it is not installed.
    """

    address: str
    gpu: bool = False
    purpose: str = "Work on many machines"


class RayWorkers:
    """As :class:`geco.processes.Workers`, on a Ray cluster.

    Args:
        cluster: or its address alone.
        count: actors; None = one for every CPU of the cluster, or every GPU where each takes one.

    Raises:
        MissingExtraError: Ray is not installed. ConfigError: no cluster answers there.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        cluster: Cluster | str,
        count: int | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.function, self.bounds = function, bounds or Bounds()
        cluster = Cluster(cluster) if isinstance(cluster, str) else cluster
        with _own_signals():
            self._ray = _connect(cluster, count)
        each = "GPU" if cluster.gpu else "CPU"
        self.count = count or max(int(self._ray.cluster_resources().get(each, 1)), 1)
        self._actor = self._ray.remote(num_cpus=1, num_gpus=int(cluster.gpu))(_Actor)
        self._idle = [self._start() for _ in range(self.count)]
        self._prepared = self._check_started()

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; its actors of this run end, and a local one as a whole."""
        self._ray.shutdown()

    def prepare(self) -> Any:
        """As ``Workers.prepare``; every actor has prepared when this object is made."""
        return self._prepared

    def run(self, jobs: Iterable[tuple[str, Any]], seconds: float | None = None) -> Iterator[Outcome]:
        """As ``Workers.run``. A job whose machine is lost is given to another one."""
        source, left = iter(jobs), True
        again: deque[tuple[str, Any, int]] = deque()
        busy: dict[Any, tuple[Any, tuple[str, Any, int]]] = {}
        while left or again or busy:
            while self._idle and (left or again):
                job = None
                if left:
                    job = next(((*each, 0) for each in source), None)
                    left = job is not None
                if job is None:
                    if not again:
                        break
                    job = again.popleft()
                actor = self._idle.pop()
                busy[actor.run.remote(job[0], job[1], seconds)] = (actor, job)
            for finished in self._finished(list(busy)):
                actor, (key, argument, attempts) = busy.pop(finished)
                outcome = self._outcome(finished, actor, key)
                if outcome.reason == LOST and attempts + 1 < ATTEMPTS:
                    again.append((key, argument, attempts + 1))
                    continue
                yield replace(outcome, reason="crashed") if outcome.reason == LOST else outcome

    def _finished(self, busy: list[Any]) -> list[Any]:
        """Wait for one; with it all that are there, as a look at thousands of them costs milliseconds."""
        if not busy:
            return []
        first, _ = self._ray.wait(busy, num_returns=1)
        found, _ = self._ray.wait(busy, num_returns=len(busy), timeout=0)
        return list(found or first)

    def _outcome(self, finished: Any, actor: Any, key: str) -> Outcome:
        """What came back, and who is free again: the actor, or another one where its machine is lost."""
        try:
            outcome = self._ray.get(finished)
        except self._ray.exceptions.RayActorError as error:
            self._idle.append(self._start())
            return Outcome(key, reason=LOST, message=f"its machine was lost ({type(error).__name__})")
        self._idle.append(actor)
        if isinstance(outcome, GecoError):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    def _check_started(self) -> Any:
        waiting = [actor.ready.remote() for actor in self._idle]
        started, missing = self._ray.wait(waiting, num_returns=len(waiting), timeout=START_SECONDS)
        try:
            found = self._ray.get(started)
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ConfigError(
                f"workers on the Ray cluster cannot start ({lines[-1]})", "Is geco3d installed on all of it?"
            ) from error
        if missing:
            raise ConfigError(
                f"the Ray cluster started {len(started)} of {self.count} workers in {START_SECONDS:g} s",
                "Ask for fewer with --workers; each takes one CPU.",
            )
        for value in found:
            if isinstance(value, GecoError):
                raise value
        return found[0]

    def _start(self) -> Any:
        return self._actor.remote(self.function, self.bounds)


class _Actor:
    def __init__(self, function: Callable[[Any], Any], bounds: Bounds) -> None:
        self.workers = Workers(function, 1, bounds)

    def ready(self) -> Any:
        try:
            return self.workers.prepare()
        except GecoError as error:  # as a value: Ray would wrap what is raised
            return error

    def run(self, key: str, argument: Any, seconds: float | None) -> Outcome | GecoError:
        try:
            return next(self.workers.run([(key, argument)], seconds))
        except GecoError as error:
            return error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray sets handlers of its own, which end the process with lines of C++ on the terminal; the command's
    are put back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: set by nobody in Python
                signal.signal(number, handler)


def _connect(cluster: Cluster, count: int | None) -> Any:
    address = cluster.address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray", cluster.purpose) from error
    try:
        _check_answers(address)
        if address == "local":
            # Jobs and outcomes are small: the least object store that Ray takes, not a third of the memory.
            ray.init(
                num_cpus=count,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
                object_store_memory=80 << 20,
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, OSError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"no Ray cluster at {address} ({first})", "Start one with `ray start --head`, or use --ray local."
        ) from error
    return ray


def _check_answers(address: str) -> None:
    """Ray itself tries for two minutes where nobody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()
