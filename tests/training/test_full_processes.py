"""The full family's three commands in two processes of a CPU, as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from geco.training.pairs import Pairs
from tests.training.build_full import full_room

ROOT = Path(__file__).parents[2]


def torchrun(*arguments: str | Path) -> str:
    """Of both processes; each must end well."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    more = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, "-m", "geco.cli.main", *map(str, arguments), "--device", "cpu"],
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_two_processes_go_through_stage1_pairs_and_stage2(tmp_path: Path) -> None:
    room = full_room(tmp_path / "room")
    recipe = ["--recipe", room / "recipe.py"]
    teacher = [*recipe, "--init", room / "init", "--data", room / "shards"]
    torchrun("distill", "stage1", *teacher, "-o", room / "one", "--set", "accumulate=2")
    said = torchrun("distill", "pairs", *teacher, "-o", room / "pairs")
    assert said.count(": 4 pairs,") == 1 and len(Pairs(room / "pairs")) == 4
    second = ["--pairs", room / "pairs", "--init", room / "one", "--perceptual", "pyramid"]
    torchrun("distill", "stage2", *recipe, *second, "-o", room / "two", "--set", "accumulate=2")
    log = [json.loads(line) for line in (room / "two" / "log.jsonl").read_text().splitlines()]
    assert log and json.loads((room / "two" / "config.json").read_text())["facts"]["distilled"]


@pytest.mark.slow
def test_pairs_by_two_processes_are_those_of_one_each_made_once(tmp_path: Path) -> None:
    from geco.cli.main import main

    room = full_room(tmp_path / "room")
    options = ["distill", "pairs", "--recipe", room / "recipe.py", "--init", room / "init"]
    options += ["--data", room / "shards"]
    torchrun(*options, "-o", room / "by_two")
    assert main([str(value) for value in [*options, "-o", room / "by_one", "--device", "cpu"]]) == 0
    assert len(list((room / "by_one" / "chunks").iterdir())) == 2
    one, two = (
        {str(path.relative_to(room / name)): path.read_bytes() for path in room.glob(f"{name}/chunks/*/*/*")}
        for name in ("by_one", "by_two")
    )
    assert len(one) == 4 * (4 + 4) and one == two
