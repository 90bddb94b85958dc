"""The server's side of the worker: a process that may crash, hang or eat memory, and is then
started again.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from geco.choices import CHOICES
from geco.errors import ConfigError, GecoError
from geco.processes import Bounds, Child, Outcome
from geco.serve.jobs import Jobs, MeshTask, Task
from geco.serve.metrics import Metrics
from geco.serve.samples import SamplesTask
from geco.serve.settings import Limits
from geco.serve.verdict import LONGEST_PAUSE, judge, unavailable

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


class Worker:
    """One process with the pipeline, and the thread that talks to it. One task at a time.

    Args:
        load: picklable; called in the process, gives the loaded pipeline.
        limits: seconds and memory of a task.
        metrics: where starts after a failure are counted.
    """

    def __init__(self, load: Callable[[], GecoPipeline], limits: Limits, metrics: Metrics) -> None:
        self._jobs, self._limits, self.metrics = Jobs(load), limits, metrics
        self._tasks: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._child: Child | None = None
        self._lock = threading.Lock()  # of _child while it is being made, against stop()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.model: dict[str, Any] = {}
        self.ready = False

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._child.process.pid if self._child is not None else None

    def start(self) -> dict[str, Any]:
        """Start the process and load the model; what :meth:`Jobs.prepare` says of it. Blocks for seconds.

        Raises:
            GecoError: the model cannot be loaded, or the process died on the way.
        """
        self._stopping.clear()
        self._tasks = queue.SimpleQueue()
        atexit.register(self.stop)  # before multiprocessing's own end, which would wait for the process
        try:
            self._spawn()
        except GecoError:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._live, name="geco-worker", daemon=True)
        self._thread.start()
        return self.model

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
        self._tasks.put(_Item(within(task, self.model, self._limits), partial(call, put), heard, stop))
        return judge(await future, request_id, self._limits)

    def _live(self) -> None:
        """The thread: task after task."""
        while (item := self._tasks.get()) is not None and not self._stopping.is_set():
            assert self._child is not None
            # between two requests: ended by the system, for its memory say
            if not self._child.process.is_alive():
                self._restart("idle")
            outcome = self._call(item) if self.ready else Outcome("", reason="unavailable")
            item.settle(outcome)
            if not self._child.alive and self.ready:
                self._restart(outcome.reason or "unknown")

    def _call(self, item: _Item) -> Outcome:
        assert self._child is not None
        seconds = self._limits.seconds * item.task.weight
        stuck = threading.Timer(seconds + STUCK, self._child.process.kill)
        stuck.daemon = True
        stuck.start()
        try:
            return self._child.call(item.task, seconds=seconds, hear=item.hear, stop=item.stop)
        finally:
            stuck.cancel()

    def _spawn(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                raise ConfigError("the server is stopping")
            # All threads of the machine for the networks, one for numpy's small products, as in `geco run`.
            threads = {"OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1")}
            bounds = Bounds(self._limits.seconds, self._limits.memory_gb)
            self._child = Child(self._jobs, bounds, environment=threads)
        self.model = self._child.wait_ready()
        self.ready = True

    def _restart(self, reason: str) -> None:
        """Start the process again, and again until it comes up."""
        self.metrics.restarts[reason] += 1
        failures = 0
        while not self._stopping.is_set():
            try:
                self._spawn()
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


TaskKind = TypeVar("TaskKind", bound=Task)


def within(task: TaskKind, model: dict[str, Any], limits: Limits) -> TaskKind:
    """The task with the model's own sizes and steps lowered to the server's limits, where nothing else was
    asked for.
    """
    if isinstance(task, SamplesTask):
        return replace(task, task=within(task.task, model, limits))
    if not isinstance(task, MeshTask):
        return task
    values = dict(task.values)
    for row in CHOICES:
        most = getattr(limits, row.limit) if row.limit else math.inf
        textureless = row.name == "texture_size" and values.get("vertex_colors")
        if values.get(row.name) is None and model.get(row.name, 0) > most and not textureless:
            values[row.name] = most
    return replace(task, values=values)
