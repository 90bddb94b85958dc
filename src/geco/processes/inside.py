"""The life of a process of :mod:`geco.processes.child`, as it is lived inside, deaf to Ctrl-C."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from geco.errors import GecoError, MeshError
from geco.processes.job import Bounds, Outcome, Stopped

STOP = "stop"  # sent in place of a job: the one that runs shall end


def ignore_interrupt() -> None:
    """In a process that started :func:`sheltered`: Ctrl-C is its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def serve(connection: Connection, pickled: bytes, bounds: Bounds) -> None:
    """A worker's life."""
    ignore_interrupt()
    threading.Thread(target=_follow_parent, daemon=True).start()
    function: Callable[[Any], Any] = pickle.loads(pickled)
    prepare: Callable[[], Any] | None = getattr(function, "prepare", None)
    if (attach := getattr(function, "attach", None)) is not None:
        attach(partial(_tell, connection))
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        try:
            prepared = None if prepare is None else prepare()
        except GecoError as error:
            connection.send(("raise", _portable(error)))
            return
        _bound_memory(bounds.memory_gb, 0 if prepare is None else _data_held())
        connection.send(("ready", prepared))
        while True:
            received = connection.recv()
            if received == STOP:  # the job was over before it heard
                continue
            key, argument, seconds = received
            _alarm(seconds + 10)  # even where C code holds the interpreter and the parent is dead
            message = _attempt(function, key, argument)
            _alarm(0)
            connection.send(message)
            if message[0] != "outcome":
                return


def _tell(connection: Connection, value: Any) -> None:
    """Send a message of the job that runs; here it hears that it shall stop, too."""
    if connection.poll():
        connection.recv()
        raise Stopped
    connection.send(("message", value))


def _attempt(function: Callable[[Any], Any], key: str, argument: Any) -> tuple[str, Any]:
    try:
        return "outcome", Outcome(key, function(argument))
    except Stopped:
        return "outcome", Outcome(key, reason="stopped", message="it was told to stop")
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
