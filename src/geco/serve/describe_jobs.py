"""The OpenAPI description of jobs."""

from __future__ import annotations

from typing import Any

from geco.serve.events import MEDIA_TYPE
from geco.serve.job import STATES
from geco.serve.samples import TURNTABLES

HERE = "/api/v1/jobs"
_ID = {"id": "$response.body#/id"}
# What the answer to a new job tells of other operations' parameters. Its files come later.
LINKS: tuple[tuple[str, dict[str, str]], ...] = (
    ("job", _ID),
    ("job_events", _ID),
    ("end_job", _ID),
)


def _object(required: dict[str, Any], about: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "required": list(required), "properties": required}
    return made | ({"description": about} if about else {})


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _or_null(kind: str, **more: Any) -> dict[str, Any]:
    return {"anyOf": [{"type": kind, **more}, {"type": "null"}]}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
TIME = {"type": "string", "format": "date-time"}
STEP = _object({"done": WHOLE, "of": WHOLE})
ERROR = _object({"type": TEXT, "problem": TEXT, "remedy": TEXT})
VIEWS = _object({"seed": WHOLE, "url": TEXT})
RESULT = _object(
    {
        "seed": WHOLE,
        "url": {"type": "string", "description": "of the mesh, in the job's format"},
        "still": {"type": "string", "description": "of a picture of it"},
        "faces": WHOLE,
        "agreement": _or_null("number"),
        "timings": {"type": "object", "additionalProperties": {"type": "number"}},
        "facts": {"type": "object"},
        "bytes": WHOLE,
    }
)
JOB = _object(
    {
        "id": TEXT,
        "name": TEXT,
        "format": TEXT,
        "model": TEXT,
        "state": {"type": "string", "enum": list(STATES)},
        "position": {**_or_null("integer"), "description": "in the line, 1 is the next"},
        "stage": _or_null("string"),
        "step": {"anyOf": [STEP, {"type": "null"}]},
        "created": TIME,
        "ended": _or_null("string", format="date-time"),
        "expires": _or_null("string", format="date-time"),
        "seeds": _list(WHOLE),
        "views": _list({"$ref": "#/components/schemas/JobViews"}),
        "results": _list({"$ref": "#/components/schemas/JobResult"}),
        "error": {"anyOf": [ERROR, {"type": "null"}]},
    }
)
EVENT = _object(
    {
        "event": {"type": "string", "enum": ["state", "stage", "views", "result", "end"]},
        "id": TEXT,
        "data": {"type": "string", "contentMediaType": "application/json", "description": "the job"},
    }
)
# Of one event, as OpenAPI means it; readers that know no events see a text.
EVENTS = {"anyOf": [{"$ref": "#/components/schemas/JobEvent"}, TEXT]}
SCHEMAS = {"JobEvent": EVENT, "Job": JOB, "JobViews": VIEWS, "JobResult": RESULT}
ERRORS = {
    401: "no valid token, where the server wants one",
    404: "there is no such job or file, or its time is over",
    422: "the id or the seed is none",
}
BUSY = {503: "too many listen or wait; Retry-After says when to come again"}
MADE = {
    501: "something is not installed on the server",
    504: "not done within the server's limit of seconds",
}
_PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


def complete(path: str, method: str, responses: dict[str, Any], mesh_types: list[str]) -> dict[int, str]:
    """What the answers that are no errors hold; further errors of the operation, with their reasons.

    Args:
        path, method, responses: of an operation, FastAPI's own.
        mesh_types: media types of meshes.
    """
    job = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
    if method == "post":
        location = {"schema": TEXT, "description": "where the job is"}
        responses["202"] |= {
            "description": "it is in line",
            "content": job,
            "headers": {"Location": location},
            "links": {name: {"operationId": name, "parameters": parameters} for name, parameters in LINKS},
        }
        return {507: "the server's disk is full, or what it keeps jobs in"}
    kind = path.removeprefix(f"{HERE}/{{id}}").strip("/").partition("/")[0]
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {
        "": job,
        "events": {MEDIA_TYPE: {"schema": EVENTS}},
        "meshes": dict.fromkeys(mesh_types, binary),
        "turntable": dict.fromkeys(TURNTABLES.values(), binary),
    }
    responses["200"]["content"] = content.get(kind, _PNG)
    if kind == "events":
        responses["204"] = {"description": "the job is over, and the end has been heard"}
    elif method == "delete":
        responses["204"] = {"description": "the job was over, and is forgotten"}
    return ERRORS | (BUSY if kind in ("events", "turntable") else {}) | (MADE if kind == "turntable" else {})
