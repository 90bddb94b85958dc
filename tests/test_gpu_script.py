"""``runs/small_gpu.sh`` from objects to a model at tiny size on a CPU, killed in every piece, and on
to a second machine.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def lease(tmp_path: Path) -> dict[str, str]:
    """The script's environment: tiny recipe, CPU, this checkout's ``geco``."""
    command = tmp_path / "bin" / "geco"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} -m geco.cli.main "$@"\n')
    command.chmod(0o755)
    tiny = {"DEVICE": "cpu", "RECIPE": "tiny", "SIZE": "16", "HOLD_OUT": "3", "INIT": "", "FLAGS": ""}
    more = {"LEAST": "0.02", "PAIRS": "4", "THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", **tiny, **more}


def script(lease: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    command = ["bash", str(ROOT / "runs" / "small_gpu.sh"), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=lease, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def done(lease: dict[str, str], *arguments: object) -> str:
    process = script(lease, *arguments)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-2000:]
    return out


def kill_when(lease: dict[str, str], path: Path, *arguments: object) -> None:
    """Start the piece, and end it and all that it started the hard way as soon as ``path`` is there."""
    killed = script(lease, *arguments)
    until = time.monotonic() + 120
    while not path.exists() and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert path.exists() and killed.returncode == -signal.SIGKILL


def minutes(run: Path) -> float:
    return float(json.loads((run / "teacher" / "training.json").read_text())["minutes"])


@pytest.mark.slow
def test_pieces_of_time_become_models_and_nothing_begins_anew(lease: dict[str, str], tmp_path: Path) -> None:
    run, objects = tmp_path / "run", tmp_path / "objects"
    subprocess.run(["geco", "data", "procedural", "-o", objects, "--count", "12"], env=lease, check=True)
    kill_when(lease, run / "views", "views", objects, run)
    done(lease, "views", objects, run)
    kill_when(lease, run / "teacher" / "run.json", "teacher", run, 0.15)
    done(lease, "teacher", run, 0.15)
    assert 0.15 <= minutes(run) < 0.25 and not (run / "until").exists()
    begun = run / "model-1"
    kill_when(lease, begun / "stage1" / "run.json", "model", run, 0.15)
    cooled = (begun / "teacher" / "multiview" / "network.safetensors").read_bytes()
    kill_when(lease, begun / "stage2" / "run.json", "model", run, 0.15)
    distilled = (begun / "stage1" / "multiview" / "network.safetensors").read_bytes()
    done(lease, "model", run, 0.15)
    # What was finished was not trained on, and no second model was begun.
    assert (begun / "teacher" / "multiview" / "network.safetensors").read_bytes() == cooled
    assert (begun / "stage1" / "multiview" / "network.safetensors").read_bytes() == distilled
    assert not (run / "model-2").exists()
    assert (run / "model-1" / "exported" / "onnx" / "config.json").is_file()
    assert (run / "model-1" / "bus.glb").stat().st_size > 1000
    assert "not yet" in done({**lease, "LEAST": "9"}, "model", run, 0.15)

    there = tmp_path / "there"  # a new machine gets the state and makes the views anew
    shutil.copytree(run / "state", there / "state")
    assert max(path.stat().st_size for path in (there / "state").iterdir()) < 16 * 2**20
    done(lease, "views", objects, there)
    done(lease, "teacher", there, 0.05)
    assert minutes(run) + 0.05 <= minutes(there) < minutes(run) + 0.15
    assert "not yet" in done({**lease, "LEAST": "9"}, "model", there, 0.15)


def test_without_a_piece_it_says_what_there_is(lease: dict[str, str]) -> None:
    process = script(lease)
    assert process.wait(20) == 2
    assert process.stderr is not None and "small_gpu.sh teacher" in process.stderr.read()
