"""The extension in a real Blender without a window: ``python -m blender.check``, with a Python that has bpy.

It builds the extension, lets Blender's own validator read it, installs it as Blender does into a profile of
its own, runs it (``inside.py``), and renders what came out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from blender.build import PYTHONS, ROOT, BuildError, build, this_platform

INSIDE = ROOT / "blender" / "inside.py"
TOLD = "import bpy, platform; print(bpy.app.version_string, 'on Python', platform.python_version())"
WAITING = 60.0  # seconds for the server to start


def check(python: str, archive: Path, out: Path, address: str) -> bool:
    """All of it in one Blender; True where nothing was wrong.

    Args:
        python: an interpreter that has bpy.
        archive: the built extension. out: a folder for renders.
        address: of a running server; "" leaves that part out.
    """
    with tempfile.TemporaryDirectory() as profile:
        # Isolated from this process's path: the package may come from the extension only.
        environment = {**os.environ, "BLENDER_USER_RESOURCES": profile}
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            environment.pop(name, None)
        words = [python, "-I", str(INSIDE), str(archive), str(out), address]
        return subprocess.run(words, env=environment, cwd=profile).returncode == 0


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a ``geco serve`` of this Python, where it has the extra ``web``; else ""."""
    if any(importlib.util.find_spec(name) is None for name in ("geco", "fastapi", "uvicorn")):
        yield ""
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-m", "geco.cli.main", "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            _wait(address, process)
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + WAITING
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5):
            return
        time.sleep(0.2)
    raise BuildError("geco serve did not start")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m blender.check", description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, help="a built extension (default: it is built)")
    parser.add_argument(
        "--blender", action="append", metavar="PYTHON", help="a Python with bpy; several may be named"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist" / "blender-check", help="renders")
    asked = parser.parse_args(argv)
    found = {}
    for python in asked.blender or [sys.executable]:
        told = subprocess.run([python, "-c", TOLD], capture_output=True, text=True)
        if told.returncode:
            print(f"skipped: {python} has no bpy: pip install bpy==4.5.15 (Python 3.11)", file=sys.stderr)
            return 2
        found[python] = told.stdout.strip().splitlines()[-1]
    out = asked.output.resolve()
    out.mkdir(parents=True, exist_ok=True)
    try:
        archive = asked.archive or build(this_platform(), PYTHONS, out)
        with server() as address:
            if not address:
                print("left out: server mode (this Python has no geco3d[web])")
            good = True
            for python, version in found.items():
                print(f"== Blender {version}", flush=True)
                good = check(python, archive.resolve(), out, address) and good
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
