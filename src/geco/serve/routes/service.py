"""What the routes share: the worker, the line before it, the settings, the counts."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from geco.serve.admission import Line, Ticket
from geco.serve.board import Board
from geco.serve.crew import Crew
from geco.serve.errors import REQUEST_ID
from geco.serve.events import Listeners
from geco.serve.jobs import Made, MeshTask
from geco.serve.metrics import Metrics
from geco.serve.settings import Settings
from geco.serve.uploads import TICKET


@dataclass(frozen=True)
class Service:
    """One server's parts."""

    crew: Crew
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
        ticket: Ticket = request.scope[TICKET]
        ticket.model = task.model
        async with self.line.turn(ticket) as number:
            made: Made = await self.crew.run(number, task, request.scope[REQUEST_ID])
        return made
