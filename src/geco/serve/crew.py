"""All workers of a server: several processes behind one line."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from geco.serve.admission import Ticket
from geco.serve.jobs import Task
from geco.serve.metrics import Metrics, WorkerCounts
from geco.serve.settings import Limits
from geco.serve.worker import Loads, Worker


class Crew:
    """So many workers, each with one model at a time.

    Args:
        loads, limits: see :class:`geco.serve.worker.Worker`.
        metrics: where what is counted of each worker is shown.
        count: workers.
    """

    def __init__(self, loads: Loads, limits: Limits, metrics: Metrics, count: int = 1) -> None:
        self.metrics, self.names = metrics, tuple(loads)
        self.workers: list[Worker] = []
        for _ in range(count):
            worker = Worker(loads, limits, WorkerCounts(), count)
            worker.counts.ready = lambda worker=worker: worker.ready  # type: ignore[misc]
            self.workers.append(worker)
            metrics.workers.append(worker.counts)

    @property
    def ready(self) -> bool:
        """Whether one of them has a model."""
        return any(worker.ready for worker in self.workers)

    @property
    def model(self) -> dict[str, Any]:
        """What is known of the default model; empty before the start."""
        return self.workers[0].models.get(self.names[0], {})

    @property
    def models(self) -> list[dict[str, Any]]:
        """All models as clients read them, the default first."""
        known = self.workers[0].models
        return [
            {
                "name": name,
                "default": name == self.names[0],
                "loaded": sum(worker.ready and worker.loaded == name for worker in self.workers),
                **{key: known.get(name, {}).get(key) for key in MODEL},
            }
            for name in self.names
        ]

    def start(self) -> None:
        """Load every model once, in the first worker, then the default one in all. Blocks for seconds.

        Raises:
            GecoError: a model cannot be loaded.
        """
        first, *others = self.workers
        try:
            first.start()
            if others:
                with ThreadPoolExecutor(len(others)) as pool:
                    list(pool.map(lambda worker: worker.start(first.models), others))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all."""
        threads = [threading.Thread(target=worker.stop) for worker in self.workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(6)

    def cost(self, number: int, ticket: Ticket) -> int:
        """How little worker ``number`` suits a request: one that has its model costs nothing, one that does
        not start the most.
        """
        worker = self.workers[number]
        return 2 * (not worker.ready) + (ticket.model not in ("", worker.loaded))

    async def run(self, number: int, task: Task, request_id: str, **more: Any) -> Any:
        """:meth:`geco.serve.worker.Worker.run` of one of them."""
        return await self.workers[number].run(task, request_id, **more)


MODEL = ("licence", "texture_size", "resolution", "steps")
