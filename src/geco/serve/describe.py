"""The OpenAPI description: what FastAPI reads off the routes, and every other answer that they may give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from geco.serve import describe_answers, describe_jobs
from geco.serve.describe_answers import BINARY, MESHES
from geco.serve.local import request_model, schema_of
from geco.serve.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

# The fields that are files, and types that clients are told to send; what they are is read off their bytes.
UPLOADED = {"picture": "image/png, image/jpeg, image/webp", "pictures": "application/zip"}
STATUS = "/status/{uid}"
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


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The description as JSON; made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description="One picture to a textured mesh."
    )
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas |= describe_answers.SCHEMAS | describe_jobs.SCHEMAS
    schemas["LocalRequest"] = schema_of(request_model(settings))
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    for name, part in schema["components"]["schemas"].items():
        if name.startswith("Body_"):
            _without_null(part["properties"])
            part["additionalProperties"] = False
            for name in UPLOADED.keys() & part["properties"].keys():
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
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if form is not None:
        name = "pictures" if path == "/api/v1/batch" else "picture"
        form["encoding"] = {name: {"contentType": UPLOADED[name]}}
    responses = operation["responses"]
    more: dict[int, str] = {}
    responses.pop("422", None)  # FastAPI's own
    if path.startswith(describe_jobs.HERE):
        more = describe_jobs.complete(path, method, responses, MESHES)
    else:
        describe_answers.complete(path, operation)
    for answer in responses.values():
        answer["headers"] = HEADERS | answer.get("headers", {})
    errors = (POST_ERRORS if method == "post" else GET_ERRORS) | more
    if method == "delete":
        errors[403] = POST_ERRORS[403]
    if path == "/readyz":
        errors[503] = "no model is loaded, or the server is stopping"
    if path in ("/metrics", "/api/v1/models", STATUS):
        errors[401] = POST_ERRORS[401]
    if path == STATUS:
        errors |= {code: describe_jobs.ERRORS[code] for code in (404, 422)}
    if token and 401 in errors:
        operation["security"] = [{"token": []}]
    for code, about in errors.items():
        responses[str(code)] = {
            "description": about,
            "headers": HEADERS,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
