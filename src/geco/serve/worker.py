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
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geco.choices import CHOICES
from geco.errors import ConfigError, GecoError
from geco.processes import Bounds, Child, Outcome
from geco.serve.errors import INTERNAL, Refusal, status_of
from geco.serve.jobs import Failed, Jobs, Made, MeshTask
from geco.serve.metrics import Metrics
from geco.serve.settings import Limits

if TYPE_CHECKING:
    from geco.pipeline import GecoPipeline

log = logging.getLogger("geco.serve")

STARTS = 2  # in a row that may fail before requests are refused; it goes on trying
LONGEST_PAUSE = 30.0  # seconds between two tries
STUCK = 15.0  # seconds beyond the limit after which a process is ended that does not even take or give bytes
# Errors whose text is about the client's own request. Others may name files of the server: they go to its
# log.
TOLD = ("InputImageError", "MeshError", "ConfigError", "MissingExtraError")


class Worker:
    """One process with the pipeline, and the thread that talks to it. One task at a time.

    Args:
        load: picklable; called in the process, gives the loaded pipeline.
        limits: seconds and memory of a task.
        metrics: where starts after a failure are counted.
    """

    def __init__(self, load: Callable[[], GecoPipeline], limits: Limits, metrics: Metrics) -> None:
        self._jobs, self._limits, self.metrics = Jobs(load), limits, metrics
        self._tasks: queue.SimpleQueue[tuple[MeshTask, Callable[[Outcome], None]] | None] = (
            queue.SimpleQueue()
        )
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

    async def run(self, task: MeshTask, request_id: str) -> Made:
        """One task, off the event loop.

        Raises:
            Refusal: whatever went wrong, as the client shall be told; the rest is in the log.
        """
        if not self.ready:
            raise unavailable()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def put(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        def settle(outcome: Outcome) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(put, outcome)

        self._tasks.put((within(task, self.model, self._limits), settle))
        return self._judge(await future, request_id)

    def _judge(self, outcome: Outcome, request_id: str) -> Made:
        """The result of an outcome, or the refusal that it amounts to."""
        value = outcome.value
        if isinstance(value, Made):
            return value
        if isinstance(value, Failed) and not value.trace:
            status = status_of(value.bases)
            if value.kind in TOLD or any(name in TOLD for name in value.bases):
                raise Refusal(status, value.kind, value.problem, value.remedy)
            log.error("request %s: %s: %s. %s", request_id, value.kind, value.problem, value.remedy)
            raise Refusal(status, value.kind, INTERNAL)
        if isinstance(value, Failed):
            log.error("request %s failed with %s\n%s", request_id, value.kind, value.trace)
            raise Refusal(500, "InternalError", INTERNAL)
        log.error("request %s ended its worker: %s (%s)", request_id, outcome.reason, outcome.message)
        if outcome.reason == "timeout":
            problem = f"the request was not done within this server's limit of {self._limits.seconds:g} s"
            raise Refusal(
                504,
                "TimeLimit",
                problem,
                "Ask for less (steps, texture, resolution), or send another picture.",
            )
        if outcome.reason == "memory":
            problem = (
                f"the request needs more memory than this server's limit of {self._limits.memory_gb:g} GiB"
            )
            raise Refusal(
                500, "MemoryLimit", problem, "Ask for a smaller texture or resolution, or a smaller picture."
            )
        if outcome.reason == "unavailable":
            raise unavailable()
        raise Refusal(
            500, "WorkerDied", "the process that worked on this request died", "Send another picture."
        )

    def _live(self) -> None:
        """The thread: task after task."""
        while (item := self._tasks.get()) is not None and not self._stopping.is_set():
            task, settle = item
            assert self._child is not None
            # between two requests: ended by the system, for its memory say
            if not self._child.process.is_alive():
                self._restart("idle")
            outcome = self._call(task) if self.ready else Outcome("", reason="unavailable")
            settle(outcome)
            if not self._child.alive and self.ready:
                self._restart(outcome.reason or "unknown")

    def _call(self, task: MeshTask) -> Outcome:
        assert self._child is not None
        stuck = threading.Timer(self._limits.seconds + STUCK, self._child.process.kill)
        stuck.daemon = True
        stuck.start()
        try:
            return self._child.call(task)
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
                item[1](Outcome("", reason="unavailable"))
            self._tasks.put(None)


def within(task: MeshTask, model: dict[str, Any], limits: Limits) -> MeshTask:
    """The task with the model's own sizes and steps lowered to the server's limits, where nothing else was
    asked for.
    """
    values = dict(task.values)
    for row in CHOICES:
        most = getattr(limits, row.limit) if row.limit else math.inf
        textureless = row.name == "texture_size" and values.get("vertex_colors")
        if values.get(row.name) is None and model.get(row.name, 0) > most and not textureless:
            values[row.name] = most
    return replace(task, values=values)


def unavailable() -> Refusal:
    """Nothing can be worked on now."""
    return Refusal(
        503, "NoWorker", "the model is not loaded", "Try again later.", retry_after=int(LONGEST_PAUSE)
    )
