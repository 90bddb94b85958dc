"""The commands of runs/small_cpu.sh, in order, on objects made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import sampling_table

from geco.cli.main import main
from geco.multiview.small.weights import load_small
from geco.recipes.find import find_recipe

pytest.importorskip("numba")


def test_shards_to_model_to_table(
    tmp_path: Path, box_shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = f"train teacher --recipe tiny --data {box_shards} -o {run} --device cpu --threads 1".split()
    assert main([*options, "--steps", "1"]) == 0
    assert main([*options, "--steps", "3", "--resume"]) == 0
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps[0] == 1 and steps[-1] == 3
    assert load_small(run / "multiview").config.size == 16
    capsys.readouterr()
    sampling_table.main(
        f"{run}/multiview {box_shards}/held_out --steps 1 2 --truncation 1 0 --count 1".split()
    )
    printed = capsys.readouterr().out.splitlines()
    # head, copy, one step x 3 guidances x 2 truncations, two steps x 3 x 2, JSON
    assert len(printed) == 2 + 1 + 6 + 6 + 1
    varied = {
        tuple(line.split(" | ")[i] for i in (0, 3)): float(line.split("|")[-2]) for line in printed[3:-1]
    }
    assert varied["| 1", "0.0"] == 0 < varied["| 1", "1.0"]  # without noise seeds do not differ
    assert json.loads(printed[-1])["best_iou"] is None or json.loads(printed[-1])["best_iou"]["steps"] in (
        1,
        2,
    )


def test_the_papers_stage2_weighs_its_terms_as_instantmesh_does() -> None:
    rng = np.random.default_rng(0)
    ours, truth, distance = rng.random((2, 3, 8, 8)), rng.random((2, 3, 8, 8)), 0.3  # any perceptual distance
    options = find_recipe("paper").stage2
    here = np.mean((ours - truth) ** 2) + options.perceptual * distance
    # InstantMesh's model_mesh.py: both terms on pictures * 2 - 1, MSE + 2 LPIPS
    there = np.mean(((ours * 2 - 1) - (truth * 2 - 1)) ** 2) + 2.0 * distance
    assert there == pytest.approx(4 * here) and options.mask == 0
