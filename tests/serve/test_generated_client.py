"""A client that a generator makes of the description runs every route.

Wanted: openapi-python-client, in an environment of its own (`.ci/client` makes one); GECO_CLIENT names its
Python.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.pictures import disc_png
from tests.serve.live import ROOT, Live

PYTHON = os.environ.get("GECO_CLIENT", "")


@pytest.mark.skipif(not PYTHON, reason="GECO_CLIENT names no Python with openapi-python-client")
def test_a_generated_client_runs_every_route(tmp_path: Path) -> None:
    live = Live("-q")
    try:
        url = f"http://127.0.0.1:{live.port}"
        page = (ROOT / "docs" / "serving-api.md").read_text("utf-8")
        found = re.search(r"```yaml\n(content_type_overrides:\n.*?)```", page, re.DOTALL)
        assert found, "the settings that the page gives to who makes a client"
        (tmp_path / "client.yaml").write_text(found[1])
        command = (
            f"generate --url {url}/openapi.json --config client.yaml --meta none --output-path geco_client"
        )
        made = _run(tmp_path, "-m", "openapi_python_client", *command.split())
        assert "WARNING" not in made and "ERROR" not in made, made
        (tmp_path / "ball.png").write_bytes(disc_png((200, 40, 0)))
        script = Path(__file__).parent / "generated_client.py"
        said = _run(tmp_path, str(script), url, "ball.png")
        document = json.loads(live.get("/openapi.json"))
    finally:
        live.kill()
    operations = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert set(json.loads(said.splitlines()[-1])) == operations


def _run(folder: Path, *words: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [PYTHON, *words], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
