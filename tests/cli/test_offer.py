"""On a terminal somebody may say no."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geco.cli.offer import make_ready
from geco.errors import ConfigError
from tests.cases import BUGS
from tests.cli_command import SOURCE

pty = pytest.importorskip("pty")


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"])
def test_a_terminal_is_asked_and_no_is_no(tmp_path: Path, answer: bytes) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "XDG_CACHE_HOME": str(tmp_path)}
    words = ["run", str(BUGS / "run" / "toy.png"), "--model", "triposr", "-o", str(tmp_path / "a.glb")]
    process = subprocess.Popen(
        [sys.executable, "-m", "geco.cli.main", *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1000)
    os.write(ours, answer)
    assert process.wait(60) == 2
    assert b"1.7 GB to fetch" in said and b"licence: MIT" in said
    assert not list(tmp_path.iterdir())
    os.close(ours)


def test_a_device_that_is_not_there_is_said_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="tpu"):
        make_ready("triposr", get=True, quiet=True, device="tpu")
    assert not list(tmp_path.iterdir())
