"""Real ``geco`` commands in a process of their own whose hub is ours and whose public models are tiny.

Several commands share one process: loading torch is most of their time. What is changed for them is sizes
(settings of the released checkpoints, the sheet of views, steps), the hashes of the real files, and from
which size on a file is a large one; the rest is the product.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli_command import SOURCE
from tests.hub.server import LARGE, Hub

PIECE = 32 * 1024  # bytes of a download that are written at a time


@dataclass(frozen=True)
class Done:
    """How one command ended."""

    code: int
    out: str
    error: str

    @property
    def line(self) -> str:
        """The last one on standard error: where it failed, the error."""
        return self.error.strip().splitlines()[-1] if self.error.strip() else ""


def start(
    hub: Hub, home: Path, *commands: Sequence[str | Path], tiny: bool = False, **more: str
) -> subprocess.Popen[str]:
    """The process; :func:`ended` waits for it.

    Args:
        commands: each as the words behind ``geco``.
        tiny: the public models are tiny ones, which takes torch.
        more: environment.
    """
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}"}
    environment |= {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", **hub.environment(home), **more}
    listed = json.dumps([[str(word) for word in command] for command in commands])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hub.commands", "tiny" if tiny else "real", listed],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ended(process: subprocess.Popen[str]) -> list[Done]:
    """What each command of the process did."""
    out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    return [Done(**done) for done in json.loads(out.splitlines()[-1])]


def geco(
    hub: Hub, home: Path, *commands: Sequence[str | Path], tiny: bool = False, **more: str
) -> list[Done]:
    """Commands one after the other; arguments as of :func:`start`."""
    return ended(start(hub, home, *commands, tiny=tiny, **more))


def _shrink() -> None:
    """Tiny public models."""
    from geco.model_files import hub
    from geco.public_weights import instantmesh, triposr_settings, zero123plus
    from geco.sampling import Sampling
    from tests.hub import public
    from tests.reconstruct import tiny

    hub.PINNED.update({name: hub.Pin(pin.revision) for name, pin in hub.PINNED.items()})
    instantmesh.RELEASED.update(public.settings())
    triposr_settings._encoder = lambda values, folder: tiny.triposr_config().vit
    zero123plus.SHEET = (96, 64)
    zero123plus.TEACHER = Sampling("euler-ancestral", 2, 4.0)


def _run(words: list[str]) -> dict[str, Any]:
    from geco.cli.main import main

    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = main(words)
    return {"code": code, "out": out.getvalue(), "error": error.getvalue()}


if __name__ == "__main__":
    from huggingface_hub import constants

    from geco.model_files import download

    # megabytes come in pieces, and are resumed, as gigabytes are
    constants.DOWNLOAD_CHUNK_SIZE, download.LARGE, download.POLL = PIECE, LARGE, 0.05
    if sys.argv[1] == "tiny":
        _shrink()
    print(json.dumps([_run(words) for words in json.loads(sys.argv[2])]))
