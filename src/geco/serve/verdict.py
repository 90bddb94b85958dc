"""What became of a task, as its client is told, and as the log is."""

from __future__ import annotations

import logging
from typing import Any

from geco.processes import Outcome
from geco.serve.errors import INTERNAL, Refusal, status_of
from geco.serve.jobs import Failed
from geco.serve.settings import Limits

log = logging.getLogger("geco.serve")

LONGEST_PAUSE = 30.0  # seconds between two tries to start a worker
# Errors whose text is about the client's own request. Others may name files of the server: they go to its
# log.
TOLD = ("InputImageError", "MeshError", "ConfigError", "MissingExtraError")


class Cancelled(Exception):
    """The task was stopped, as it was asked for."""


def judge(outcome: Outcome, request_id: str, limits: Limits) -> Any:
    """The result of an outcome.

    Raises:
        Refusal: what it amounts to otherwise. Cancelled: the task was stopped, as it was asked for.
    """
    value = outcome.value
    if outcome.reason is None and not isinstance(value, Failed):
        return value
    if outcome.reason == "stopped":
        raise Cancelled
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
        problem = f"the request was not done within this server's limit of {limits.seconds:g} s"
        raise Refusal(
            504,
            "TimeLimit",
            problem,
            "Ask for less (steps, texture, resolution), or send another picture.",
        )
    if outcome.reason == "memory":
        problem = f"the request needs more memory than this server's limit of {limits.memory_gb:g} GiB"
        raise Refusal(
            500, "MemoryLimit", problem, "Ask for a smaller texture or resolution, or a smaller picture."
        )
    if outcome.reason == "unavailable":
        raise unavailable()
    raise Refusal(500, "WorkerDied", "the process that worked on this request died", "Send another picture.")


def unavailable() -> Refusal:
    """Nothing can be worked on now."""
    return Refusal(
        503, "NoWorker", "the model is not loaded", "Try again later.", retry_after=int(LONGEST_PAUSE)
    )
