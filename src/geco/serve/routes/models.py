"""Which models may be asked for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from geco.serve.routes.service import Service


def add(app: FastAPI, service: Service) -> None:
    """``/api/v1/models``."""

    @app.get("/api/v1/models", operation_id="models")
    async def models() -> dict[str, list[dict[str, Any]]]:
        """The names that the field `model` may have, the default first; how many workers have each loaded
        now, and its own sizes.
        """
        return {"models": service.crew.models}
