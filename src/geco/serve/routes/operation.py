"""What the operator asks: alive, ready, how much. (Why no postponed annotations: see fields.py.)"""

from typing import Any

from fastapi import FastAPI, Response

from geco.serve.admission import stopping
from geco.serve.metrics import MEDIA_TYPE
from geco.serve.routes.service import Service
from geco.serve.verdict import unavailable
from geco.version import __version__


def add(app: FastAPI, service: Service) -> None:
    """``/healthz``, ``/readyz`` and ``/metrics``."""
    crew, line = service.crew, service.line

    @app.get("/healthz", operation_id="health")
    async def health() -> dict[str, Any]:
        """The server is alive; which model it has, and how many requests are inside."""
        return {
            "status": "ok",
            "model": crew.model.get("model"),
            "version": __version__,
            "pending": line.pending,
        }

    @app.get("/readyz", operation_id="ready")
    async def ready() -> dict[str, Any]:
        """The model is loaded and the server is not stopping: 200; else 503."""
        if line.closing_since is not None:
            raise stopping()
        if not crew.ready:
            raise unavailable()
        return {"status": "ready"}

    @app.get("/metrics", operation_id="metrics", response_class=Response)
    async def counts() -> Response:
        """Counts in the text format of Prometheus."""
        return Response(service.metrics.text(), media_type=MEDIA_TYPE)
