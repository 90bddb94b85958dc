"""A method's model in a process of its own, so that its time and its peak memory are its own and
a crash is only its own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from geco.errors import ConfigError, GecoError
from geco.evaluate.job import Job, MethodResult, peak_memory
from geco.evaluate.methods import Method
from geco.evaluate.optimized import OptimizeRunner
from geco.processes.inside import ignore_interrupt, sheltered


class WorkerDied(Exception):
    """The process ended without an answer (killed, or out of memory)."""


class Worker:
    """The parent's end. Entering starts the process and loads the model; leaving ends it.

    Attributes:
        facts: of the model, as the child told: view_size, rig, sampling, load_seconds.

    Raises:
        GecoError: what loading the model raised. WorkerDied: the process ended.
    """

    def __init__(self, method: Method, variants: Sequence[str], device: str | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, method, tuple(variants), device), daemon=True
        )
        with sheltered():
            self._process.start()
        theirs.close()  # so that the child's death is the end of the pipe
        try:
            self.facts: dict[str, Any] = self._receive()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, job: Job) -> MethodResult:
        """One picture to what the method makes of it. Raises GecoError for a picture that it
        refuses, WorkerDied.
        """
        try:
            self._connection.send(job)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerDied(self._last_words()) from error
        outcome: MethodResult = self._receive()
        return outcome

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def close(self) -> None:
        """End the process, at once where it is busy."""
        self._connection.close()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _receive(self) -> Any:
        try:
            kind, value = self._connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise WorkerDied(self._last_words()) from error
        if kind == "error":
            raise value
        return value

    def _last_words(self) -> str:
        self._process.join(timeout=5)
        code = self._process.exitcode
        return (
            f"its process was ended by signal {-code}"
            if code is not None and code < 0
            else f"its process ended with code {code}"
        )


def serve(connection: Connection, method: Method, variants: tuple[str, ...], device: str | None) -> None:
    """The child's loop: load, say so, answer jobs until the pipe closes."""
    ignore_interrupt()  # the parent decides when to end
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            runner = _runner(method, variants, device)
        except GecoError as error:
            connection.send(("error", plain(error)))
            return
        connection.send(("ready", runner.facts))
        while True:
            job = connection.recv()
            try:
                connection.send(("done", runner.run(job)))
            except GecoError as error:
                connection.send(("error", plain(error)))


def plain(error: GecoError) -> GecoError:
    """The same message as an error that can be pickled, whatever arguments its type takes."""
    return GecoError(error.problem, error.remedy)


def _runner(method: Method, variants: tuple[str, ...], device: str | None) -> Any:
    if method.kind == "optimize":
        return OptimizeRunner(method, device)
    return _Runner(method, variants, device)


class _Runner:
    def __init__(self, method: Method, variants: tuple[str, ...], device: str | None) -> None:
        from geco.pipeline import GecoPipeline

        start = time.perf_counter()
        self.pipeline = GecoPipeline.from_pretrained(method.source, device)
        seconds = time.perf_counter() - start
        backend, card = self.pipeline.backend, self.pipeline.card
        if method.teacher and backend.distilled:
            raise ConfigError(
                f"{method.source!r} makes views in one pass, so it is not the teacher that {method.name} "
                f"asks for",
                f"Give the teacher's folder: --methods {method.name}=FOLDER.",
            )
        self.sampling = self.pipeline.sampling(**method.steering.asked)
        self.variants, self.has_views = variants, self.sampling is not None
        self.best_of = method.best_of
        self.facts = {
            "model": card.name,
            "view_size": card.view_size or card.picture_size,
            "rig": card.facts.get("rig") or "zero123plus-v1.2",
            "sampling": self.sampling.to_dict() if self.sampling and method.kind == "model" else None,
            "resolution": card.resolution,
            "texture_size": card.texture_size,
            "licence": card.licence,
            "load_seconds": seconds,
        }

    def run(self, job: Job) -> MethodResult:
        """The pipeline's three verbs, the last one once for every variant."""
        from geco.batches import candidates
        from geco.seen import Views
        from geco.surface_to_asset import AssetOptions
        from geco.timing import Stopwatch

        seen = self.pipeline.see(job.picture)
        if job.views is None:
            seeds = candidates([job.seed * self.best_of], self.best_of)
            drawn = list(self.pipeline.views(seen, seeds, self.sampling))
        else:
            drawn = [Views(job.seed, job.views)]
        # what was drawn together took its seconds together
        seconds = sum({views.seconds for views in drawn})
        before = {"picture": seen.seconds} | ({"views": seconds} if job.views is None else {})
        outcome = MethodResult(drawn[0].pictures if self.has_views else None)
        for variant in self.variants:
            options = AssetOptions(
                projection=variant in ("projection", "finish"),
                outline=variant in ("outline", "finish"),
                best_of=len(drawn),
            )
            watch = Stopwatch()
            try:
                asset = self.pipeline.best(drawn, seen, options, watch)
                outcome.meshes[variant], outcome.facts[variant] = asset.mesh, asset.facts
                if self.has_views:
                    outcome.views = next(each for each in drawn if each.seed == asset.seed).pictures
            except GecoError as error:
                outcome.meshes[variant], outcome.facts[variant] = str(error), {}
            outcome.stages[variant] = watch.finish(before)
        outcome.peak_mb, outcome.gpu_mb = peak_memory()
        return outcome
