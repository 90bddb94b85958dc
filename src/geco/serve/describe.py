"""The OpenAPI description: what FastAPI reads off the routes, and every other answer that they may give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from geco.serve import describe_jobs
from geco.serve.errors import ERROR_SCHEMA
from geco.serve.jobs import MEDIA_TYPES
from geco.serve.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

UPLOADED = {"picture", "pictures"}  # the fields that are files
BINARY = {"schema": {"type": "string", "format": "binary"}}
PREVIEW = {
    "type": "object",
    "required": ["glb", "picture", "views", "seed", "model", "faces", "timings", "facts"],
    "properties": {
        "glb": {"type": "string", "format": "byte"},
        "picture": {"type": "string", "format": "byte", "description": "PNG, the cut-out picture"},
        "views": {"type": "string", "format": "byte", "description": "PNG, the six views, two a row"},
        "seed": {"type": "integer"},
        "model": {"type": "string"},
        "faces": {"type": "integer"},
        "timings": {"type": "object", "additionalProperties": {"type": "number"}},
        "facts": {"type": "object"},
    },
}
POST_ERRORS = {
    400: "the form is broken, or the Host header is",
    401: "no valid token, where the server wants one",
    403: "a page of another site asked",
    408: "the body did not arrive in time",
    413: "the body is larger than the limit",
    415: "the body is no form",
    421: "the server is not known under that host name",
    422: "a field is out of its range, or the picture cannot be used",
    500: "the worker died, needed too much memory, or the server is at fault: its log names the request's id",
    501: "something is not installed on the server",
    503: "too many requests wait, or no model is loaded; Retry-After says when to come again",
    504: "not done within the server's limit of seconds",
    507: "the server's disk is full",
}
GET_ERRORS = {code: POST_ERRORS[code] for code in (400, 421, 500)}
HEADERS = {
    "X-Request-Id": {
        "schema": {"type": "string"},
        "description": "given by the client, or made here; in the log too",
    },
}
MESH_HEADERS = {
    "X-Geco-Seed": {"schema": {"type": "integer"}},
    "X-Geco-Model": {"schema": {"type": "string"}, "description": "percent-encoded UTF-8"},
    "X-Geco-Timings": {"schema": {"type": "string"}, "description": "JSON: seconds a stage"},
    "X-Geco-Facts": {"schema": {"type": "string"}, "description": "JSON: faces, cut-out, camera"},
}


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The description as JSON; made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description="One picture to a textured mesh."
    )
    schema.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    schema["components"]["schemas"] |= describe_jobs.SCHEMAS
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    for name, part in schema["components"]["schemas"].items():
        if name.startswith("Body_"):
            _without_null(part["properties"])
            part["additionalProperties"] = False
            for name in UPLOADED & part["properties"].keys():
                about = part["properties"][name]["description"]
                part["properties"][name] = {**BINARY["schema"], "minLength": 1, "description": about}
    if settings.access.token is not None:
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation, settings.access.token is not None)
    app.openapi_schema = schema
    return schema


def _without_null(fields: dict[str, Any]) -> None:
    """A form has no null: a field that may be left out is just left out."""
    for field in fields.values():
        choices = [choice for choice in field.get("anyOf", []) if choice.get("type") != "null"]
        if len(choices) == 1:
            del field["anyOf"]
            field |= choices[0]


def _complete(path: str, method: str, operation: dict[str, Any], token: bool) -> None:
    """All responses of one operation."""
    responses = operation["responses"]
    more: dict[int, str] = {}
    responses.pop("422", None)  # FastAPI's own
    if path.startswith(describe_jobs.HERE):
        more = describe_jobs.complete(path, method, responses, sorted(set(MEDIA_TYPES.values())))
    for answer in responses.values():
        answer["headers"] = HEADERS | answer.get("headers", {})
    if path == "/api/v1/batch":
        form = operation["requestBody"]["content"]["multipart/form-data"]
        form["encoding"] = {"pictures": {"contentType": "application/zip"}}
        responses["200"]["content"] = {"application/zip": BINARY}
    elif path in ("/api/v1/mesh", "/generate"):
        responses["200"]["content"] = dict.fromkeys(sorted(set(MEDIA_TYPES.values())), BINARY)
        responses["200"]["headers"] |= MESH_HEADERS
    elif path == "/api/v1/preview":
        responses["200"]["content"] = {"application/json": {"schema": PREVIEW}}
    elif path == "/metrics":
        responses["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    errors = (POST_ERRORS if method == "post" else GET_ERRORS) | more
    if method == "delete":
        errors[403] = POST_ERRORS[403]
    if path == "/readyz":
        errors[503] = "no model is loaded, or the server is stopping"
    if path in ("/metrics",):
        errors[401] = POST_ERRORS[401]
    if token and 401 in errors:
        operation["security"] = [{"token": []}]
    for code, about in errors.items():
        responses[str(code)] = {
            "description": about,
            "headers": HEADERS,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
