"""Folders of small pictures, runs over them, and a worker that dies where a picture says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geco.many.results import Result, Task
from tests.cli_command import SOURCE, geco
from tests.pictures import ball_picture

QUICK = ("--resolution", "24", "--texture-size", "64", "--no-projection", "--no-outline")


def balls(folder: Path, count: int) -> Path:
    """So many pictures, each another size of a ball; the folder."""
    folder.mkdir()
    for number in range(count):
        ball_picture(64 + number).save(folder / f"ball{number}.png")
    return folder


def run(pictures: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """``geco run`` over a folder, as quick as it goes."""
    return geco("run", pictures, "-o", f"{output}/", *QUICK, *more)


def started(pictures: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    """The same, without waiting for its end."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "geco.cli.main", "run", str(pictures), "-o", f"{output}/", *QUICK, *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def lines(manifest: Path) -> list[dict[str, Any]]:
    """Those of pictures."""
    found = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [line for line in found if "made" not in line]


def meshes(folder: Path) -> dict[str, bytes]:
    """Name -> bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.glb"))}


def until_written(manifest: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait for so many lines of pictures."""
    end = time.monotonic() + 60
    while not manifest.exists() or len(lines(manifest)) < count:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


def children(process: int) -> list[int]:
    """Its worker processes: not the tracker of resources that Python starts beside them."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(one) for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


class Mortal:
    """As :class:`geco.many.maker.Worker`, several pictures at a time, but makes nothing: the picture
    ``crash.png`` kills the process, ``hang.png`` holds it, ``greedy.png`` takes all memory.
    """

    def prepare(self) -> int:
        return 3

    def __call__(self, tasks: Sequence[Task]) -> list[Result]:
        for task in tasks:
            if task.picture.path.name == "crash.png":
                os.kill(os.getpid(), signal.SIGKILL)
            if task.picture.path.name == "hang.png":
                time.sleep(1000)
            if task.picture.path.name == "greedy.png":
                raise MemoryError
        return [Result(task.number, files=[task.outputs[0].mesh]) for task in tasks]
