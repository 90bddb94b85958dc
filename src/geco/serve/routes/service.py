"""What the routes share: the worker, the line before it, the settings, the counts."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from geco.serve.admission import Line
from geco.serve.board import Board
from geco.serve.errors import REQUEST_ID
from geco.serve.events import Listeners
from geco.serve.jobs import Made, MeshTask
from geco.serve.metrics import Metrics
from geco.serve.settings import Settings
from geco.serve.uploads import TICKET
from geco.serve.worker import Worker


@dataclass(frozen=True)
class Service:
    """One server's parts."""

    worker: Worker
    line: Line
    settings: Settings
    metrics: Metrics
    board: Board
    listeners: Listeners

    async def make(self, request: Request, task: MeshTask) -> Made:
        """Wait for the turn, then work.

        Raises:
            Refusal, Gone: as the line and the worker.
        """
        async with self.line.turn(request.scope[TICKET]):
            return await self.worker.run(task, request.scope[REQUEST_ID])
