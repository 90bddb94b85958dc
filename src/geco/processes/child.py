"""One process that may die: a job in it that crashes, hangs, eats the memory or raises costs only itself.

The process is spawned, with one thread a library and a pipe of its own, so nothing is shared that a death
could leave locked. It notices the end of its parent, however that ends, and ends too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any

from geco.errors import ConfigError
from geco.processes.inside import STOP, serve, sheltered
from geco.processes.job import Bounds, Job, Outcome

START_SECONDS = 300.0  # for a worker to import what it needs, on a machine with too much to do
PATIENCE = 2.0  # seconds for a job to stop by itself; to start its process again takes about as long
LOOK = 0.1  # seconds between two looks whether it shall stop
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class NotStartedError(ConfigError):
    """A process ended, or did not answer, before it could take its first job."""


class Child:
    """One process and our end of its pipe.

    Args:
        function: picklable, of one argument; what it raises becomes an :class:`Outcome`, see :meth:`poll`.
            Where it has a method ``prepare``, that is called once before the first job (to load what every
            job needs); the bound of memory is then counted from what it holds, and what it returns is
            :attr:`prepared`. Where it has a method ``attach``, that is given a function that sends a value
            from within a job, see :meth:`call`; it raises :class:`geco.processes.Stopped` in a job that was
            told to stop.
        bounds: of each job.
        environment: variables of the process, beside ours; by default one thread a library.
    """

    def __init__(
        self, function: Callable[[Any], Any], bounds: Bounds, environment: Mapping[str, str] = ONE_THREAD
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, pickle.dumps(function), bounds), daemon=True
        )
        with _environment(environment), sheltered():
            self.process.start()
        theirs.close()
        self.bounds = bounds
        self.job: Job | None = None
        self.hear: Callable[[Any], None] | None = None
        self.prepared: Any = None
        self.ready, self.alive = False, True
        self.deadline = time.monotonic() + START_SECONDS

    @property
    def seconds(self) -> float:
        """That the job may take."""
        assert self.job is not None
        return self.bounds.seconds if self.job.seconds is None else self.job.seconds

    def wait_ready(self) -> Any:
        """Wait until the process can take its first job; :attr:`prepared`. Before any :meth:`submit`.

        Raises:
            GecoError: what ``prepare`` raised, or the process died or did not get ready in time.
        """
        assert self.job is None
        try:
            if not self.connection.poll(max(self.deadline - time.monotonic(), 0)):
                self.kill()
                self._check_started("does not answer")
            kind, value = self.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            self._check_started(f"died with {self._end()}")
        if kind == "raise":
            self.kill()
            raise value
        self.ready, self.prepared = True, value
        return value

    def submit(self, job: Job) -> None:
        """Hand a job over; it starts as soon as the process has. One at a time."""
        self.job = job
        if self.ready:
            self._send()

    def poll(self) -> Outcome | None:
        """What became of the job, if it is over; :attr:`alive` says whether the process can take another.

        Raises:
            GecoError: the job raised it (other than a MeshError, which is an outcome).
        """
        assert self.job is not None
        try:
            while self.connection.poll():
                kind, value = self.connection.recv()
                if kind == "ready":
                    self.ready, self.prepared = True, value
                    self._send()
                    continue
                if kind == "message":
                    if self.hear is not None:
                        self.hear(value)
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
            return Outcome(self.job.key, reason="timeout", message=f"not finished after {self.seconds:g} s")
        return None

    def call(
        self,
        argument: Any,
        key: str = "",
        seconds: float | None = None,
        hear: Callable[[Any], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Submit one job and wait for its outcome; errors as :meth:`poll`.

        Args:
            seconds: that it may take; None: those of the bounds.
            hear: called with each value that the job sends on its way.
            stop: where it is set, the job is told to stop. One that has not :data:`PATIENCE` seconds later is
                ended together with its process. The reason of both is "stopped".
        """
        self.hear, told = hear, False
        self.submit(Job(key, argument, seconds=seconds))
        while True:
            left = max(self.deadline - time.monotonic(), 0)
            wait([self.connection], timeout=left if stop is None else min(left, LOOK))
            if stop is not None and stop.is_set() and not told:
                told = True
                self._tell_to_stop()
            if (outcome := self.poll()) is not None:
                late = told and outcome.reason == "timeout"
                return replace(outcome, reason="stopped") if late else outcome

    def _tell_to_stop(self) -> None:
        self.deadline = min(self.deadline, time.monotonic() + PATIENCE)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # poll() will see the end
            self.connection.send(STOP)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.alive = False
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _send(self) -> None:
        assert self.job is not None
        self.deadline = time.monotonic() + self.seconds
        # it died meanwhile: poll() will see the end
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((self.job.key, self.job.argument, self.seconds))

    def _died(self) -> Outcome:
        assert self.job is not None
        how = self._end()
        self._check_started(f"died with {how}")
        more = " (out of memory?)" if how == "SIGKILL" else ""
        return Outcome(self.job.key, reason="crashed", message=f"the worker died with {how}{more}")

    def _end(self) -> str:
        """How the process died: a signal's name or an exit code."""
        self.process.join(10)
        code = self.process.exitcode
        self.kill()
        return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"

    def _check_started(self, what: str) -> None:
        if not self.ready:
            raise NotStartedError(
                f"a worker process {what} before its first job", "Its own message is above; see --memory too."
            )


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
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
