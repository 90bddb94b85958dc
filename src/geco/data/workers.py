"""Processes that may die: a job that crashes, hangs, eats the memory or raises costs only itself.

Each worker is a spawned process with one thread a library and a pipe of its own, so nothing is shared that a death could
leave locked. Workers notice the end of their parent, however it ends, and end too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from geco.errors import ConfigError, GecoError, MeshError

SECONDS = 300.0  # for one job; the slowest object of the measured sets takes 3
MEMORY_GB = 4.0  # of data a worker; what a 512 MiB file and its textures need, with room
ATTEMPTS = 2  # a crash may be the fault of a neighbour that ate the memory; a second one is the job's own
START_SECONDS = 300.0  # for a worker to import what it needs, on a machine with too much to do
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """What became of one job: ``value``, or a ``reason`` (crashed, timeout, memory, error, or an object's own) with a message."""

    key: str
    value: Any = None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Bounds:
    """What one job may take: seconds of wall clock; GiB of data (0 = no limit; Linux only)."""

    seconds: float = SECONDS
    memory_gb: float = MEMORY_GB

    def __post_init__(self) -> None:
        if not self.seconds > 0 or not self.memory_gb >= 0:
            raise ConfigError(f"bounds of {self.seconds} s and {self.memory_gb} GiB", "Both must be positive.")


class Workers:
    """A pool for one function.

    Args:
        function: picklable, of one argument. A :class:`MeshError` it raises is the job's outcome, with its ``reason``; any
            other :class:`GecoError` (no space, a missing extra) ends the whole run; every other exception is an outcome too.
        count: processes.
    """

    def __init__(self, function: Callable[[Any], Any], count: int, bounds: Bounds | None = None) -> None:
        if count < 1:
            raise ConfigError(f"{count} workers", "Give at least one.")
        self.function, self.count, self.bounds = function, count, bounds or Bounds()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

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
        again: deque[_Job] = deque()
        left = True
        while left or again or self._busy:
            while (left or again) and len(self._busy) < self.count:
                if again:
                    job = again.popleft()
                else:
                    try:
                        job = _Job(*next(source))
                    except StopIteration:
                        left = False
                        break
                worker = self._idle.pop() if self._idle else _Worker(self.function, self.bounds)
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

    def _collect(self) -> list[tuple[_Worker, Outcome]]:
        """Wait for the next event; the workers whose jobs are over, with the outcomes."""
        if not self._busy:
            return []
        deadline = min(worker.deadline for worker in self._busy)
        wait([worker.connection for worker in self._busy], timeout=max(deadline - time.monotonic(), 0))
        found = [(worker, worker.poll()) for worker in self._busy]
        return [(worker, outcome) for worker, outcome in found if outcome is not None]


@dataclass
class _Job:
    key: str
    argument: Any
    attempts: int = 0


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, function: Callable[[Any], Any], bounds: Bounds) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, pickle.dumps(function), bounds), daemon=True)
        with _environment(_THREADS):
            self.process.start()
        theirs.close()
        self.bounds = bounds
        self.job: _Job | None = None
        self.ready, self.alive = False, True
        self.deadline = time.monotonic() + START_SECONDS

    def submit(self, job: _Job) -> None:
        self.job = job
        if self.ready:
            self._send()

    def poll(self) -> Outcome | None:
        """What has happened, if the job is over."""
        assert self.job is not None
        try:
            while self.connection.poll():
                kind, value = self.connection.recv()
                if kind == "ready":
                    self.ready = True
                    self._send()
                    continue
                if kind == "raise":
                    raise value
                self.alive = kind != "last"  # out of memory: what is left of the process is not to be trusted
                return value  # type: ignore[no-any-return]
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._died()
        if time.monotonic() >= self.deadline:
            self.kill()
            self._check_started("does not answer")
            return Outcome(self.job.key, reason="timeout", message=f"not finished after {self.bounds.seconds:g} s")
        return None

    def kill(self) -> None:
        self.alive = False
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _send(self) -> None:
        assert self.job is not None
        self.deadline = time.monotonic() + self.bounds.seconds
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died meanwhile: poll() will see the end
            self.connection.send((self.job.key, self.job.argument))

    def _died(self) -> Outcome:
        assert self.job is not None
        self.process.join(10)
        code = self.process.exitcode
        self.kill()
        how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        self._check_started(f"died with {how}")
        more = " (out of memory?)" if how == "SIGKILL" else ""
        return Outcome(self.job.key, reason="crashed", message=f"the worker died with {how}{more}")

    def _check_started(self, what: str) -> None:
        if not self.ready:
            raise ConfigError(f"a worker process {what} before its first job", "Its own message is above; see --memory too.")


def _serve(connection: Connection, pickled: bytes, bounds: Bounds) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_follow_parent, daemon=True).start()
    function: Callable[[Any], Any] = pickle.loads(pickled)
    _bound_memory(bounds.memory_gb)
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        connection.send(("ready", None))
        while True:
            key, argument = connection.recv()
            _alarm(bounds.seconds + 10)  # even where C code holds the interpreter and the parent is dead
            message = _attempt(function, key, argument)
            _alarm(0)
            connection.send(message)
            if message[0] != "outcome":
                return


def _attempt(function: Callable[[Any], Any], key: str, argument: Any) -> tuple[str, Any]:
    try:
        return "outcome", Outcome(key, function(argument))
    except MeshError as error:
        return "outcome", Outcome(key, reason=str(getattr(error, "reason", "broken")), message=str(error))
    except GecoError as error:
        return "raise", _portable(error)
    except MemoryError as error:
        return "last", Outcome(key, reason="memory", message=f"more memory than the limit ({error or 'MemoryError'})")
    except Exception as error:  # whatever a reader trips over is that object's fault, and the report says what it was
        return "outcome", Outcome(key, reason="error", message=f"{type(error).__name__}: {error}")


def _portable(error: GecoError) -> GecoError:
    """The same kind of error as far as it travels: some constructors take other arguments than they store."""
    try:
        return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return]
    except TypeError:
        return GecoError(error.problem, error.remedy)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _bound_memory(gigabytes: float) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if gigabytes > 0:
        resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30),) * 2)


def _alarm(seconds: float) -> None:
    """The system ends this process after so many seconds (0 = not any more); nothing on Windows."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
