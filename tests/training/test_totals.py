"""training.json: what a run cost, in its file, its log and its last line; summed over resumed pieces."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from geco.errors import ConfigError
from geco.training.curves import read_curves
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.totals import Totals, describe
from tests.training.line import Line

PAUSE = 0.01  # seconds that a step takes at least


class Slow(Line):
    def loss(self, index: int, generator: torch.Generator) -> Any:
        time.sleep(PAUSE)
        return super().loss(index, generator)


def run(folder: Path, steps: int, quiet: bool = True, **options: Any) -> dict[str, Any]:
    machine = Machine(device="cpu", threads=1)
    train(
        Slow(machine),
        LoopOptions(folder, steps=steps, decay_part=0.0, log_steps=1, **options),
        machine,
        quiet=quiet,
    )
    found: dict[str, Any] = json.loads((folder / "training.json").read_text())
    return found


def test_a_run_says_what_it_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    found = run(tmp_path, 6, quiet=False, accumulate=2)
    wall = time.monotonic() - began
    assert found["steps"] == 6 and found["samples"] == 6 * 2 * Line.batch
    assert 2 * PAUSE <= found["seconds_a_step"] <= wall / 6
    assert (
        6 * found["seconds_a_step"] <= 60 * found["minutes"] + 0.01 and 60 * found["minutes"] <= wall + 0.01
    )
    assert 50 < found["peak_memory_mib"] < 100_000
    assert found["machine"].endswith(", 1 thread")
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["training"] == found
    assert capsys.readouterr().out.strip() == describe(found)
    assert not any("training" in name for name in read_curves(tmp_path / "log.jsonl"))


def test_totals_go_on_over_a_resume(tmp_path: Path) -> None:
    first = run(tmp_path, 4)
    second = run(tmp_path, 10)
    assert first["steps"] == 4 and second["steps"] == 10 and second["samples"] == 10 * Line.batch
    assert second["minutes"] > first["minutes"] + 6 * PAUSE / 60
    assert second["seconds_a_step"] >= PAUSE and second["peak_memory_mib"] >= first["peak_memory_mib"]
    assert second["machine"] == first["machine"]  # once
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["training"]["steps"] for line in lines if "training" in line] == [4, 10]
    assert [line["samples"] for line in lines if "samples" in line] == [
        Line.batch * step for step in range(1, 11)
    ]


def test_samples_are_those_of_all_pieces(tmp_path: Path) -> None:
    run(tmp_path, 4, accumulate=3)
    with pytest.raises(ConfigError, match="accumulate 3, not 1"):
        run(tmp_path, 6)
    assert run(tmp_path, 6, accumulate=3)["samples"] == 6 * 3 * Line.batch


def test_a_checkpoint_without_totals_counts_by_its_steps(tmp_path: Path) -> None:
    run(tmp_path, 4)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["totals"]
    torch.save(state | {"elapsed": 2.0}, tmp_path / "checkpoint.pt")
    found = run(tmp_path, 5)
    assert found["steps"] == 5 and found["samples"] == 5 * Line.batch and 0.4 < found["seconds_a_step"] < 0.5


def test_sums_of_two_machines() -> None:
    totals = Totals()
    for machine, peak in (("A", 3 << 20), ("B", 1 << 20), ("A", 2 << 20)):
        totals.add(8, 0.5)
        totals.seen_on(machine, peak)
    again = Totals.from_state(totals.state_dict(), 0, 0.0, 0)
    assert again == totals
    assert again.facts(90.0) == {
        "steps": 3,
        "samples": 24,
        "seconds_a_step": 0.5,
        "minutes": 1.5,
        "peak_memory_mib": 3.0,
        "machine": "A; then B",
    }
    assert (
        describe(again.facts(90.0))
        == "3 steps, 24 samples, 0.5 s a step, 1.5 minutes, peak memory 3 MiB, on A; then B"
    )
