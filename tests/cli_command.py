"""Runs the real ``geco`` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"


def geco(
    *arguments: str | Path, cwd: Path | None = None, preexec: object = None
) -> subprocess.CompletedProcess[str]:
    """``geco ARGUMENTS`` with this interpreter and this checkout; output captured as text."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "geco.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, preexec_fn=preexec
    )  # type: ignore[call-overload, no-any-return]
