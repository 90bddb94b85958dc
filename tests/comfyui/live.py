"""ComfyUI itself, started on a CPU with our nodes and a base folder of its own, asked as its page asks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
NODES = ROOT / "comfyui"
STANDINS = Path(__file__).parent / "standins"
PATIENCE = 300.0  # seconds for its start, and for a workflow, on a machine with other work


@dataclass
class Comfy:
    """A running server.

    Attributes:
        base: its folders ``input``, ``output`` and so on.
    """

    address: str
    base: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=60) as answer:
            body: bytes = answer.read()
        return body

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def post(self, path: str, content: Any) -> Any:
        """The answer as JSON, also that of a refusal."""
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        return json.loads(body) if body else None

    def run(self, workflow: dict[str, Any]) -> dict[str, Any]:
        """The entry of the history once the workflow has ended, whether well or badly."""
        asked = self.post("/prompt", {"prompt": workflow})
        assert "prompt_id" in asked, asked
        return self.ended(asked["prompt_id"])

    def ended(self, prompt_id: str) -> dict[str, Any]:
        for _ in waiting():
            found = self.json(f"/history/{prompt_id}")
            if prompt_id in found:
                entry: dict[str, Any] = found[prompt_id]
                return entry
        raise AssertionError("unreachable")

    def view(self, entry: dict[str, str]) -> bytes:
        """A file that the history tells of."""
        return self.get(f"/view?{urllib.parse.urlencode(entry)}")


@contextmanager
def comfy(folder: Path, python: str, base: Path) -> Iterator[Comfy]:
    """Start it; it is ended when the block is.

    Args:
        folder: its unpacked source. python: an interpreter with what it requires.
        base: an empty folder.
    """
    (base / "custom_nodes").mkdir(parents=True)
    (base / "input").mkdir()
    (base / "custom_nodes" / "geco3d").symlink_to(NODES, target_is_directory=True)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    command = [python, "main.py", "--cpu", "--port", str(port), "--base-directory", str(base)]
    with (base / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(python), stdout=log, stderr=log)
        try:
            server = Comfy(f"http://127.0.0.1:{port}", base, process)
            _await(server)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def waiting() -> Iterator[None]:
    """Looks, a quarter of a second apart, until patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.25)
    raise AssertionError(f"nothing within {PATIENCE:.0f} seconds")


def _await(server: Comfy) -> None:
    for _ in waiting():
        log = (server.base / "log.txt").read_text(errors="replace")
        assert server.process.poll() is None, log[-4000:]
        try:
            server.get("/system_stats")
        except OSError:
            continue
        return


def environment(python: str) -> dict[str, str]:
    """For a process that imports ComfyUI's modules, and this checkout's."""
    there = subprocess.run([python, "-c", "import torchvision"], capture_output=True).returncode == 0
    paths = [str(ROOT / "src"), *([] if there else [str(STANDINS)])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def python_of() -> str:
    """The interpreter that has what ComfyUI requires: $GECO_COMFYUI_PYTHON, or this one."""
    return os.environ.get("GECO_COMFYUI_PYTHON", sys.executable)
