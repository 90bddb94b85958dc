"""The OpenAPI description of what routes answer with where nothing went wrong, but for jobs."""

from __future__ import annotations

from typing import Any

from geco.serve.errors import ERROR_SCHEMA
from geco.serve.jobs import MEDIA_TYPES
from geco.serve.looks import LOOKS

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
BASE64 = {"type": "string", "format": "byte"}
BINARY = {"schema": {"type": "string", "format": "binary"}}
MESHES = sorted(set(MEDIA_TYPES.values()))


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


SCHEMAS = {
    "Preview": _object(
        {
            "glb": BASE64,
            "picture": {**BASE64, "description": "PNG, the cut-out picture"},
            "views": {**BASE64, "description": "PNG, the six views, two a row"},
            "seed": WHOLE,
            "model": TEXT,
            "faces": WHOLE,
            "timings": {"type": "object", "additionalProperties": {"type": "number"}},
            "facts": {"type": "object", "additionalProperties": True},
        }
    ),
    "Health": _object(
        {
            "status": TEXT,
            "model": {"anyOf": [TEXT, {"type": "null"}]},
            "version": TEXT,
            "pending": {**WHOLE, "description": "requests inside"},
        }
    ),
    "Models": _object(
        {
            "models": {
                "type": "array",
                "items": _object(
                    {
                        "name": {**TEXT, "description": "for the field `model`"},
                        "default": {"type": "boolean"},
                        "loaded": {**WHOLE, "description": "workers that have it now"},
                        "licence": TEXT,
                        "texture_size": WHOLE,
                        "resolution": WHOLE,
                        "steps": WHOLE,
                    }
                ),
            }
        }
    ),
    "Ready": _object({"status": TEXT}),
    "Sent": _object({"uid": {**TEXT, "description": "also the id of a job"}}),
    "Status": _object(
        {
            "status": {"type": "string", "enum": ["processing", "completed", "failed"]},
            "position": {**WHOLE, "description": "in the line, while it waits"},
            "stage": {**TEXT, "description": "while it is worked on"},
            "model_base64": {**BASE64, "description": "the file, where it is completed"},
            "error": _object({"type": TEXT, "problem": TEXT, "remedy": TEXT}),
        },
        "position",
        "stage",
        "model_base64",
        "error",
    ),
    "Error": ERROR_SCHEMA,
}
# Of each route's 200: the schema of its JSON, or the media types of its bytes.
ANSWERS: dict[str, str | list[str]] = {
    "/api/v1/preview": "Preview",
    "/api/v1/models": "Models",
    "/healthz": "Health",
    "/readyz": "Ready",
    "/send": "Sent",
    "/status/{uid}": "Status",
    "/api/v1/mesh": MESHES,
    "/generate": MESHES,
    "/api/v1/batch": ["application/zip"],
    "/api/v1/still": [LOOKS["still.png"]],
    "/api/v1/turntable": sorted({kind for name, kind in LOOKS.items() if name.startswith("turntable")}),
}
MADE = ("/api/v1/mesh", "/generate", "/api/v1/still", "/api/v1/turntable")  # with facts in their headers
MADE_HEADERS = {
    "X-Geco-Seed": {"schema": WHOLE},
    "X-Geco-Model": {"schema": TEXT, "description": "percent-encoded UTF-8"},
    "X-Geco-Timings": {"schema": TEXT, "description": "JSON: seconds a stage"},
    "X-Geco-Facts": {"schema": TEXT, "description": "JSON: faces, cut-out, camera"},
}


def complete(path: str, operation: dict[str, Any]) -> None:
    """What one operation takes and answers with."""
    answer = operation["responses"]["200"]
    content = ANSWERS.get(path)
    if path == "/metrics":
        answer["content"] = {"text/plain": {"schema": TEXT}}
    elif isinstance(content, str):
        answer["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{content}"}}}
    elif content is not None:
        answer["content"] = dict.fromkeys(content, BINARY)
    if path in MADE:
        answer["headers"] = dict(MADE_HEADERS)
