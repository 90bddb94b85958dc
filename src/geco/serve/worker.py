"""The server's side of the worker: a process that may crash, hang or eat memory, and is then
started again.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from geco.cores import threads_of
from geco.errors import ConfigError, GecoError
from geco.processes import Bounds, Child, Outcome
from geco.serve.jobs import Jobs, Task
from geco.serve.metrics import WorkerCounts
from geco.serve.settings import Limits
from geco.serve.verdict import LONGEST_PAUSE, judge, unavailable
from geco.serve.within import within

if TYPE_CHECKING:
    from geco.pipeline import GecoPipeline

log = logging.getLogger("geco.serve")

STARTS = 2  # in a row that may fail before requests are refused; it goes on trying
STUCK = 15.0  # seconds beyond the limit after which a process is ended that does not even take or give bytes


@dataclass(frozen=True)
class _Item:
    """One task for the thread, and what belongs to it."""

    task: Task
    settle: Callable[[Outcome], None]
    hear: Callable[[Any], None]
    stop: threading.Event | None


Loads = Mapping[str, Callable[[], "GecoPipeline"]]  # of models by name, the default first


class Worker:
    """One process with one model at a time, and the thread that talks to it. One task at a time.

    Args:
        loads: by the model's name, what is called in the process and gives the loaded pipeline; picklable.
        limits: seconds and memory of a task.
        counts: what is counted of it.
        workers: that share the cores.

    Attributes:
        models: name -> what :meth:`Jobs.prepare` said of it, of each that was loaded once.
        loaded: the model that the process has, or shall have.
    """

    def __init__(self, loads: Loads, limits: Limits, counts: WorkerCounts, workers: int = 1) -> None:
        own = (
            {}
            if workers == 1
            else dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), threads_of(workers))
        )
        self._threads = {name: str(count) for name, count in own.items()}
        self._loads, self._limits, self.counts = loads, limits, counts
        self.loaded = self.default = next(iter(loads))
        self.models: dict[str, dict[str, Any]] = {}
        self._tasks: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._child: Child | None = None
        self._lock = threading.Lock()  # of _child while it is being made, against stop()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.ready = False

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._child.process.pid if self._child is not None else None

    def start(self, known: dict[str, dict[str, Any]] | None = None) -> None:
        """Start the process and load the default model. Blocks for seconds.

        Args:
            known: :attr:`models` of another worker. Where nobody knows them, each is loaded once before, so
                that what cannot be served is said now, and the limits of all are known.

        Raises:
            GecoError: a model cannot be loaded, or the process died on the way.
        """
        self.models = dict(known or {})
        self._stopping.clear()
        self._tasks = queue.SimpleQueue()
        atexit.register(self.stop)  # before multiprocessing's own end, which would wait for the process
        try:
            for name in [name for name in self._loads if name not in self.models and name != self.default]:
                self._spawn(name)
                self._end()
            self._spawn(self.default)
        except GecoError:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._live, name="geco-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the process, whatever it does, and the thread."""
        atexit.unregister(self.stop)
        self.ready = False
        with self._lock:
            self._stopping.set()
            if self._child is not None:
                self._child.process.kill()
        self._tasks.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)

    async def run(
        self,
        task: Task,
        request_id: str,
        hear: Callable[[Any], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Any:
        """One task, off the event loop; what its ``perform`` returns.

        Args:
            hear: called on the event loop with each value that the task tells while it runs.
            stop: once it is set, the task is stopped.

        Raises:
            Refusal: whatever went wrong, as the client shall be told; the rest is in the log.
            Cancelled: it was stopped.
        """
        if not self.ready:
            raise unavailable()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def put(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        def call(function: Callable[[Any], None], value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(function, value)

        heard = partial(call, hear) if hear is not None else _pass
        self._tasks.put(_Item(task, partial(call, put), heard, stop))
        return judge(await future, request_id, self._limits)

    def _live(self) -> None:
        """The thread: task after task."""
        while (item := self._tasks.get()) is not None and not self._stopping.is_set():
            assert self._child is not None
            # between two requests: ended by the system, for its memory say
            if not self._child.process.is_alive():
                self._restart("idle")
            is_there = item.task.model in ("", self.loaded) or self._switch(item.task.model)
            outcome = self._call(item) if self.ready and is_there else Outcome("", reason="unavailable")
            item.settle(outcome)
            if not self._child.alive and self.ready:
                self._restart(outcome.reason or "unknown")

    def _call(self, item: _Item) -> Outcome:
        assert self._child is not None
        seconds = self._limits.seconds * item.task.weight
        stuck = threading.Timer(seconds + STUCK, self._child.process.kill)
        stuck.daemon = True
        stuck.start()
        began = time.monotonic()
        task = within(item.task, self.models[self.loaded], self._limits)
        try:
            return self._child.call(task, seconds=seconds, hear=item.hear, stop=item.stop)
        finally:
            stuck.cancel()
            self.counts.tasks += 1
            self.counts.seconds += time.monotonic() - began

    def _switch(self, name: str) -> bool:
        """Another model in the place of the loaded one, whose memory is given back first, with its process;
        whether that came up. Where it did not, the default one is loaded.
        """
        self.counts.switches += 1
        self._end()
        try:
            self._spawn(name)
        except GecoError as error:
            log.error("the model %s does not load: %s", name, error)
            self.loaded = self.default
            self._restart("model")
            return False
        return True

    def _end(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.kill()

    def _spawn(self, name: str) -> None:
        with self._lock:
            if self._stopping.is_set():
                raise ConfigError("the server is stopping")
            # All threads of the machine for the networks, one for numpy's small products, as in `geco run`.
            threads = {"OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"), **self._threads}
            bounds = Bounds(self._limits.seconds, self._limits.memory_gb)
            self._child = Child(Jobs(self._loads[name]), bounds, environment=threads)
        self.models[name] = self._child.wait_ready()
        self.loaded, self.ready = name, True

    def _restart(self, reason: str) -> None:
        """Start the process again, and again until it comes up."""
        self.counts.restarts[reason] += 1
        failures = 0
        while not self._stopping.is_set():
            try:
                self._spawn(self.loaded)
                return
            except GecoError as error:
                failures += 1
                log.error("the worker does not start (%d): %s", failures, error)
            if failures >= STARTS:
                self.ready = False
                self._turn_away()
            self._stopping.wait(min(2.0**failures, LONGEST_PAUSE))

    def _turn_away(self) -> None:
        """Answer what waits for a process that does not come."""
        with contextlib.suppress(queue.Empty):
            while (item := self._tasks.get_nowait()) is not None:
                item.settle(Outcome("", reason="unavailable"))
            self._tasks.put(None)


def _pass(value: Any) -> None:
    """Nobody listens."""
