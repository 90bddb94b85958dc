"""The jobs that a server keeps: on disk, within time and size."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from geco.errors import OutputError
from geco.serve.errors import Refusal
from geco.serve.job import Job
from geco.serve.job_store import Store
from geco.serve.settings import Keeping

log = logging.getLogger("geco.serve")

SWEEP = 10.0  # seconds between two looks for jobs whose time is over


class Shelf:
    """Jobs by their ids, and the store that they are written to, by one after the other."""

    def __init__(self, store: Store, keeping: Keeping) -> None:
        self.store, self.keeping = store, keeping
        self.jobs: dict[str, Job] = {}
        self._disk = asyncio.Lock()  # who writes or deletes, one after the other
        self._sweeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Find what an earlier server left. Raises ConfigError."""
        if not self.store.is_open:
            await asyncio.to_thread(self.store.open)
        self.jobs = {job.id: job for job in self.store.found}
        async with self._disk:
            await self._make_room(0)
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Let the store go."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.to_thread(self.store.close)

    def find(self, name: str) -> Job:
        """The job of that id. Raises Refusal: 404, there is none, or its time is over."""
        job = self.jobs.get(name)
        if job is None or self._is_over(job):
            raise Refusal(404, "NotFound", "there is no such job, or its time is over", "Send it again.")
        return job

    def shown(self, job: Job) -> dict[str, Any]:
        """As its clients read it."""
        return job.shown(self.keeping.seconds)

    async def forget(self, job: Job) -> None:
        """Delete an ended job with all its files."""
        async with self._disk:
            await self._drop(job)

    async def _drop(self, job: Job) -> None:
        if self.jobs.pop(job.id, None) is not None:
            await asyncio.to_thread(self.store.forget, job)

    async def keep_file(self, job: Job, name: str, data: bytes) -> None:
        """A further file of an ended job, where there is room. Raises OutputError."""
        async with self._disk:
            if self.store.held + len(data) <= self.keeping.bytes and job.id in self.jobs:
                await asyncio.to_thread(self.store.write, job, {name: data})

    async def _save(self, job: Job, files: Mapping[str, bytes] | None = None, **changes: Any) -> None:
        """Write files and a job changed so, then change it."""
        try:
            async with self._disk:
                await self._make_room(sum(map(len, (files or {}).values())))
                await asyncio.to_thread(self.store.write, replace(job, **changes), files)
        except OutputError as failure:
            log.error("job %s: %s", job.id, failure)
            raise Refusal(507, "OutputError", "the server cannot write the job's files") from failure
        for name, value in changes.items():
            setattr(job, name, value)

    async def _write_end(self, ended: Job) -> None:
        """The record of a job that is over. Where it cannot be written, the log says so."""
        try:
            async with self._disk:
                await asyncio.to_thread(self.store.write, ended)
        except OutputError as failure:
            log.error("job %s: its end is not written: %s", ended.id, failure)

    async def _make_room(self, more: int) -> None:
        """Forget ended jobs, the oldest first, until so many bytes fit. Raises Refusal: they do not."""
        ended = sorted((job for job in self.jobs.values() if not job.is_open), key=lambda job: job.ended or 0)
        for job in ended:
            if self.store.held + more <= self.keeping.bytes and not self._is_over(job):
                break
            await self._drop(job)
        if self.store.held + more > self.keeping.bytes and more:
            problem = f"results of open jobs fill the {self.keeping.bytes:,} bytes that this server keeps"
            raise Refusal(507, "StoreFull", problem, "Ask for fewer samples (--keep-size).")

    def _is_over(self, job: Job) -> bool:
        return job.ended is not None and time.time() > job.ended + self.keeping.seconds

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP, self.keeping.seconds / 2))
            for job in [job for job in self.jobs.values() if self._is_over(job)]:
                await self.forget(job)
