"""``runs/paper.sh`` and ``runs/paper_claims.sh`` from objects to the four relations, at tiny width on a CPU;
and that a second call does nothing again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.build_full import full_room

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, str]:
    """The scripts' environment: a tiny full model as the teacher, its recipe as the card, this checkout's
    ``geco``.
    """
    command, room = tmp_path / "bin" / "geco", full_room(tmp_path / "room")
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} -m geco.cli.main "$@"\n')
    command.chmod(0o755)
    chain = {
        "CARD": room / "recipe.py",
        "TEACHER": room / "init",
        "REGRESSOR": ROOT / "models/small/regressor",
    }
    least = {"DEVICE": "cpu", "HOLD_OUT": "1", "SIZE": "64", "WORKERS": "1", "PAIRS": "2", "LIMIT": "1"}
    steps = {"TEACHER_STEPS": "2", "DIVERSITY_SEEDS": "2", "STAGE2": "--perceptual pyramid"}
    options = {"OPTIONS": "--size 64 --lpips-weights none --clip-weights none", "OMP_NUM_THREADS": "1"}
    path = {
        "PATH": f"{command.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }
    return {**os.environ, **{k: str(v) for k, v in chain.items()}, **least, **steps, **options, **path}


def done(environment: dict[str, str], script: str, *arguments: object) -> str:
    command = ["bash", str(ROOT / "runs" / script), *map(str, arguments)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


@pytest.mark.slow
def test_from_objects_to_the_four_relations_and_again(tiny: dict[str, str], tmp_path: Path) -> None:
    objects, run, report = tmp_path / "objects", tmp_path / "run", tmp_path / "report"
    made = ["geco", "data", "procedural", "-o", str(objects), "--count", "5"]
    subprocess.run(made, env=tiny, check=True, capture_output=True)
    said = done(tiny, "paper_claims.sh", objects, objects, run, report, 1)
    card = json.loads((run / "published" / "config.json").read_text())
    assert card["facts"]["stage"] == "stage2" and card["facts"]["held_out"]["psnr"] > 0
    assert (run / "bus.glb").exists() and card["facts"]["pairs"]["count"] == 2
    table = (report / "claims.md").read_text()
    assert table in said and "undistilled, one step" in table and "regressor" in table
    columns = json.loads((report / "unseen" / "results.json").read_text())["methods"]
    assert {"teacher-2", "teacher-2@clean", "stage1", "geco", "ground-truth-views"} <= set(columns)
    files = [path for path in sorted(run.rglob("*.safetensors")) if path.is_file()]
    before = [path.read_bytes() for path in files]
    done(tiny, "paper.sh", objects, run)
    assert [path.read_bytes() for path in files] == before
