"""The jobs of a server: from the line to the worker, from the worker to the disk, and what listeners hear.

All of it happens on the event loop; only the disk is written in threads. What a listener may see is on disk
before: a server that is killed has promised nothing that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from geco.processes import PATIENCE
from geco.serve.admission import CONNECTIONS_END, Line, Ticket
from geco.serve.crew import Crew
from geco.serve.errors import INTERNAL, Gone, Refusal
from geco.serve.job import Job, Result
from geco.serve.job_store import Store, mesh_file, shape_file, still_file, views_file
from geco.serve.jobs import media_type
from geco.serve.metrics import Metrics
from geco.serve.samples import Drawn, Finished, SamplesTask, Stage
from geco.serve.settings import Keeping
from geco.serve.shelf import Shelf
from geco.serve.verdict import Cancelled

log = logging.getLogger("geco.serve")


@dataclass(eq=False)
class Run:
    """What an open job needs beside its record."""

    ticket: Ticket
    task: SamplesTask
    stop: threading.Event = field(default_factory=threading.Event)
    work: asyncio.Task[None] | None = None


class Board(Shelf):
    """All jobs of one server."""

    def __init__(self, crew: Crew, line: Line, keeping: Keeping, store: Store, metrics: Metrics) -> None:
        super().__init__(store, keeping)
        self.crew, self.line, self.metrics = crew, line, metrics
        self.runs: dict[str, Run] = {}
        line.moved.append(self._tell_positions)

    async def close(self) -> None:
        """Let what is admitted be done within the grace time; the rest is lost, and says so."""
        self.line.close()
        assert self.line.closing_since is not None
        until = self.line.closing_since + self.line.traffic.grace * CONNECTIONS_END
        works = [run.work for run in self.runs.values() if run.work is not None]
        if works:
            _, late = await asyncio.wait(works, timeout=max(0.0, until - time.monotonic()))
            for work in late:
                work.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await super().close()

    async def add(self, task: SamplesTask, ticket: Ticket, model: str) -> Job:
        """A new job in the place of the request that asks for it.

        Raises:
            Refusal: 503, it is too much work beside what waits. 507, the disk is full. 501, there is no place
                to keep jobs in.
        """
        if not self.store.is_open:
            raise Refusal(
                501, "NoJobs", "this server has no place to keep jobs in", "See geco serve --jobs-dir."
            )
        job = Job(task.task.name, task.task.format, model, task.seeds)
        run = Run(self.line.stay(ticket, task.weight, task.model), task)
        try:
            await self._save(job)
        except BaseException:
            self.line.release(run.ticket)
            raise
        self.jobs[job.id], self.runs[job.id] = job, run
        run.work = asyncio.create_task(self._live(job, run))
        await asyncio.sleep(0)  # it takes its place in the line
        return job

    async def cancel(self, job: Job) -> None:
        """Stop an open job, one that waits at once, one that runs within :data:`geco.processes.PATIENCE`."""
        if (run := self.runs.get(job.id)) is not None and run.work is not None:
            run.stop.set()
            run.ticket.left.set()
            await asyncio.wait({run.work}, timeout=PATIENCE + 3)

    async def _live(self, job: Job, run: Run) -> None:
        """From the line to the end, whatever that is."""
        state, error = "done", None
        try:
            async with self.line.turn(run.ticket) as number:
                await self._save(job, state="running", position=None)
                job.note("state")
                await self._work(job, run, number)
        except (Gone, Cancelled):
            state = "cancelled"
        except Refusal as refusal:
            state = "lost" if refusal.kind == "Stopping" else "failed"
            error = {"type": refusal.kind, "problem": refusal.problem, "remedy": refusal.remedy}
        except asyncio.CancelledError:
            state = "lost"
        except Exception:
            log.exception("job %s failed", job.id)
            state, error = "failed", {"type": "InternalError", "problem": INTERNAL, "remedy": ""}
        finally:
            self.line.release(run.ticket)
            self.runs.pop(job.id, None)
        await self._end(job, state, error)

    async def _end(self, job: Job, state: str, error: dict[str, str] | None) -> None:
        ended = replace(job)
        ended.lose("the server stopped") if state == "lost" else ended.end(state, error)
        await self._write_end(ended)
        for name in ("state", "error", "ended", "stage", "done", "of", "position"):
            setattr(job, name, getattr(ended, name))
        job.note("end")
        self.metrics.jobs[job.state] += 1

    async def _work(self, job: Job, run: Run, number: int) -> None:
        """In the worker; what it tells is handled in order, while it goes on. Raises as the worker."""
        told: asyncio.Queue[Any] = asyncio.Queue()
        running = asyncio.ensure_future(
            self.crew.run(number, run.task, job.id, hear=told.put_nowait, stop=run.stop)
        )
        running.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (message := await told.get()) is not None:
                if isinstance(message, Stage):
                    job.begin_stage(message.name, message.done, message.of)
                elif isinstance(message, Drawn):
                    files = {views_file(message.seed): message.sheet}
                    await self._save(job, files, drawn=[*job.drawn, message.seed])
                    job.note("views")
                elif isinstance(message, Finished):
                    await self._save_result(job, message)
                    run.ticket.weight = max(1, run.ticket.weight - run.task.task.weight)
                    job.note("result")
        except BaseException:
            run.stop.set()  # no room for it: the worker need not go on
            with contextlib.suppress(Exception):
                await running
            raise
        await running

    async def _save_result(self, job: Job, message: Finished) -> None:
        made = message.made
        which = f"-{made.seed}" if len(job.seeds) > 1 else ""
        result = Result(
            made.seed,
            media_type(made.name),
            f"{job.name}{which}{PurePath(made.name).suffix}",
            len(made.body),
            message.faces,
            made.timings,
            json.loads(made.facts),
        )
        files = {
            mesh_file(made.seed): made.body,
            still_file(made.seed): message.still,
            shape_file(made.seed): message.shape,
        }
        await self._save(job, files, results=[*job.results, result])

    def _tell_positions(self) -> None:
        for name, run in self.runs.items():
            job, position = self.jobs[name], self.line.position(run.ticket)
            if job.state == "queued" and position is not None and position != job.position:
                job.position = position
                job.note("state")
