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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from geco.errors import ConfigError, GecoError, MeshError

SECONDS = 300.0  # for one job; the slowest object of the measured sets takes 3
MEMORY_GB = 4.0  # of data a worker; what a 512 MiB file and its textures need, with room
START_SECONDS = 300.0  # for a worker to import what it needs, on a machine with too much to do
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Outcome:
    """What became of one job: ``value``, or a ``reason`` (crashed, timeout, memory, error, or an
    object's own) with a message.
    """

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
            raise ConfigError(
                f"bounds of {self.seconds} s and {self.memory_gb} GiB", "Both must be positive."
            )


@dataclass
class Job:
    """A key to report, the function's argument, and how often it was tried."""

    key: str
    argument: Any
    attempts: int = 0


class Child:
    """One process and our end of its pipe.

    Args:
        function: picklable, of one argument; what it raises becomes an :class:`Outcome`, see :meth:`poll`.
            Where it has a method ``prepare``, that is called once before the first job (to load what every
            job needs); the bound of memory is then counted from what it holds, and what it returns is
            :attr:`prepared`.
        bounds: of each job.
        environment: variables of the process, beside ours; by default one thread a library.
    """

    def __init__(
        self, function: Callable[[Any], Any], bounds: Bounds, environment: Mapping[str, str] = ONE_THREAD
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, pickle.dumps(function), bounds), daemon=True
        )
        with _environment(environment), sheltered():
            self.process.start()
        theirs.close()
        self.bounds = bounds
        self.job: Job | None = None
        self.prepared: Any = None
        self.ready, self.alive = False, True
        self.deadline = time.monotonic() + START_SECONDS

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
                if kind == "raise":
                    raise value
                self.alive = kind != "last"  # out of memory: what is left of the process is not to be trusted
                return value  # type: ignore[no-any-return]
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._died()
        if time.monotonic() >= self.deadline:
            self.kill()
            self._check_started("does not answer")
            return Outcome(
                self.job.key, reason="timeout", message=f"not finished after {self.bounds.seconds:g} s"
            )
        return None

    def call(self, argument: Any, key: str = "") -> Outcome:
        """Submit one job and wait for its outcome; errors as :meth:`poll`."""
        self.submit(Job(key, argument))
        while True:
            wait([self.connection], timeout=max(self.deadline - time.monotonic(), 0))
            if (outcome := self.poll()) is not None:
                return outcome

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.alive = False
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _send(self) -> None:
        assert self.job is not None
        self.deadline = time.monotonic() + self.bounds.seconds
        # it died meanwhile: poll() will see the end
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((self.job.key, self.job.argument))

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
            raise ConfigError(
                f"a worker process {what} before its first job", "Its own message is above; see --memory too."
            )


@contextlib.contextmanager
def sheltered() -> Iterator[None]:
    """A process that starts in here is born deaf to Ctrl-C, which every process of a terminal hears:
    half-loaded, it would answer with a traceback of its own. What arrives meanwhile reaches this process
    afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else start() does, and opens the mask again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_interrupt() -> None:
    """In a process that started :func:`sheltered`: Ctrl-C is its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _serve(connection: Connection, pickled: bytes, bounds: Bounds) -> None:
    """A worker's life."""
    ignore_interrupt()
    threading.Thread(target=_follow_parent, daemon=True).start()
    function: Callable[[Any], Any] = pickle.loads(pickled)
    prepare: Callable[[], Any] | None = getattr(function, "prepare", None)
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        try:
            prepared = None if prepare is None else prepare()
        except GecoError as error:
            connection.send(("raise", _portable(error)))
            return
        _bound_memory(bounds.memory_gb, 0 if prepare is None else _data_held())
        connection.send(("ready", prepared))
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
        return "last", Outcome(
            key, reason="memory", message=f"more memory than the limit ({error or 'MemoryError'})"
        )
    except Exception as error:
        # whatever a reader trips over is that object's fault, and the report says what it was
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


def _data_held() -> int:
    """Bytes of data of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:")), 0)
    except OSError:
        return 0


def _bound_memory(gigabytes: float, held: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if gigabytes > 0:
        resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30) + held,) * 2)


def _alarm(seconds: float) -> None:
    """The system ends this process after so many seconds (0 = not any more); nothing on Windows."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


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
