"""Every error in one form: JSON with a type, the problem, the remedy and the request's number."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import Response

# The first name that an error's class or one of its bases has decides; any other error is the server's own
# (500).
STATUS = {
    "InputImageError": 422,
    "MeshError": 422,
    "ConfigError": 422,
    "OutputError": 507,
    "MissingExtraError": 501,
}
REQUEST_ID = "geco.request_id"  # of the scope
INTERNAL = "the server failed; its log says how, under this request's id"


class Refusal(HTTPException):
    """An answer that is no result.

    Args:
        status: of HTTP.
        kind: a short name for programs, such as ``TimeLimit``.
        problem: what is wrong. remedy: what to do about it.
        retry_after: whole seconds after which the same request may succeed.
        headers: more of them.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        problem: str,
        remedy: str = "",
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        more = dict(headers or {})
        if retry_after is not None:
            more["Retry-After"] = str(retry_after)
        super().__init__(status, problem, more)
        self.kind, self.problem, self.remedy = kind, problem, remedy

    def response(self, request_id: str) -> Response:
        """As an answer of HTTP."""
        return error_response(
            self.status_code, self.kind, self.problem, self.remedy, request_id, self.headers
        )


def error_response(
    status: int,
    kind: str,
    problem: str,
    remedy: str = "",
    request_id: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The one form of every error. ASCII only: a name that is no text anywhere else is harmless here."""
    error = {"type": kind, "problem": problem, "remedy": remedy, "request_id": request_id}
    return Response(json.dumps({"error": error}).encode(), status, dict(headers or {}), "application/json")


def status_of(bases: tuple[str, ...]) -> int:
    """The status for an error of ours, by the names of its class and the classes above it."""
    return next((STATUS[name] for name in bases if name in STATUS), 500)


class Gone(Exception):
    """The client has left; nobody is there to be answered."""


ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "problem", "remedy", "request_id"],
            "properties": {
                "type": {"type": "string", "description": "a short name for programs"},
                "problem": {"type": "string", "description": "what is wrong"},
                "remedy": {"type": "string", "description": "what to do about it; may be empty"},
                "request_id": {"type": "string", "description": "the same as the header X-Request-Id"},
            },
        }
    },
}
