"""The OpenAPI description, tried by schemathesis: generated requests, good and bad, get the
answers that it describes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from geco.serve import Access, Settings, create_app
from tests.serve.live import ROOT, Live

pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """A server whose answers cost little, and that is not too busy for all the jobs that are sent."""
    limits = {"texture": 64, "resolution": 16, "faces": 100, "samples": 2, "waiting": 5000}
    words = [word for name, most in limits.items() for word in (f"--max-{name}", str(most))]
    made = Live("-q", "--grace", "3600", *words)
    yield made
    made.kill()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param("--phases fuzzing --max-examples 4", id="generated", marks=pytest.mark.slow),
        pytest.param("--phases coverage,fuzzing --max-examples 40", id="covered", marks=pytest.mark.slow),
    ],
)
def test_schemathesis_finds_nothing(live: Live, arguments: str, tmp_path: Path) -> None:
    """All of its checks: answers as described, bad data refused, good data accepted, other
    methods not allowed.
    """
    url = f"http://127.0.0.1:{live.port}/openapi.json"
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        url,
        "--seed",
        "1",
        "--no-color",
        "--request-timeout",
        "60",
        "--warnings",
        "off",  # files of jobs that are not done yet are not found
        "--suppress-health-check",
        "filter_too_much",  # what the hooks leave out
        *arguments.split(),
    ]
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.serve.schemathesis_hooks",
    }
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout and "20 selected / 20 total" in done.stdout


def test_every_error_is_described_and_in_one_form(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path in ("/api/v1/mesh", "/api/v1/preview"):
        responses = document["paths"][path]["post"]["responses"]
        for code in ("400", "401", "403", "408", "413", "415", "421", "422", "500", "501", "503", "504"):
            reference = responses[code]["content"]["application/json"]["schema"]["$ref"]
            assert reference == "#/components/schemas/Error" and responses[code]["description"]
    assert "HTTPValidationError" not in json.dumps(document)


def test_the_ranges_are_the_servers_limits_and_the_token_is_described() -> None:
    app = create_app(settings=Settings(access=Access(token="t")))
    document = app.openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/api/v1/mesh"]["post"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    form = document["components"]["schemas"]["Body_mesh"]["properties"]
    assert {"type": "integer", "minimum": 64, "maximum": 4096}.items() <= form["texture_size"].items()
    assert "null" not in json.dumps(form), "a form has none"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path", ["/", "/main.js", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/mesh"]
)
def test_other_methods_are_not_allowed_and_the_answer_names_those_that_are(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405 and answer.json()["error"]["type"] == "MethodNotAllowed"
    assert answer.headers["allow"] == ("POST" if path.startswith("/api") else "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/main.js", "/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_head_is_get_without_its_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200 and head.content == b"" and get.content
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/v1/mesh/", "/%00", "/..%2f..%2fetc/passwd", "/\u6a21\u578b", "/api/v2/mesh"],
)
def test_unknown_paths(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and answer.json()["error"]["type"] == "NotFound"
