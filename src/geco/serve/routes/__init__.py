"""What can be asked of the server, a file a subject: each has ``add(app, service)``."""

from fastapi import FastAPI

from geco.serve.routes import batch, jobs, local, looks, mesh, models, operation, page
from geco.serve.routes.service import Service

__all__ = ["Service", "add"]


def add(app: FastAPI, service: Service) -> None:
    """All routes."""
    for subject in (mesh, looks, batch, jobs, local, models, operation, page):
        subject.add(app, service)
