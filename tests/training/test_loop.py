"""The loop on a line: it learns, accumulates, averages over processes, logs, and stops where it should."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from geco.errors import WeightsError
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.record import Record, clock
from tests.training.line import Line

ROOT = Path(__file__).parents[2]


def run(folder: Path, steps: int = 20, **options: object) -> dict[str, torch.Tensor]:
    machine = Machine(device="cpu")
    train(
        Line(machine),
        LoopOptions(folder, steps=steps, decay_part=0.0, log_steps=1, **options),
        machine,
        quiet=True,
    )  # type: ignore[arg-type]
    return torch.load(folder / "checkpoint.pt", weights_only=True)["parts"]["line"]["network"]


def test_a_line_is_found_and_the_log_tells(tmp_path: Path) -> None:
    found = run(tmp_path, 120)
    assert torch.allclose(found["weight"], torch.tensor([[1.0, -2.0, 0.5]]), atol=0.02)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["report"]["weight"] == pytest.approx(1.0, abs=0.05)  # of the averaged weights
    assert lines[0]["loss"] > 100 * lines[-2]["loss"]
    assert (tmp_path / "grid_000120.png").exists()


def test_processes_share_out_a_steps_micro_batches(tmp_path: Path) -> None:
    """Two processes of torchrun log and end as one does that takes both micro-batches itself."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node=2",
        "--standalone",
        "-m",
        "tests.training.line",
    ]
    environment = {
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": "1",
        "HOME": str(tmp_path),
    }
    subprocess.run(
        [*command, str(tmp_path / "two"), "6", "2"], check=True, env=environment, cwd=ROOT, timeout=120
    )
    two = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)["parts"]["line"]["network"]
    one = run(tmp_path / "one", 6, accumulate=2)
    assert torch.allclose(two["weight"], one["weight"], atol=1e-6) and torch.allclose(
        two["bias"], one["bias"], atol=1e-6
    )
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for mine, theirs in zip(*([line for line in log if "samples_s" in line] for log in logs), strict=True):
        assert mine["samples"] == theirs["samples"] == 8 * mine["step"]
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert mine["norm"] == pytest.approx(theirs["norm"], rel=1e-5)


def test_a_budget_in_minutes_ends_and_resumes_with_what_is_left(tmp_path: Path) -> None:
    machine = Machine(device="cpu")
    options = LoopOptions(tmp_path, budget_minutes=0.02, log_steps=1)
    train(Line(machine), options, machine, quiet=True)
    first = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert first["elapsed"] >= 1.2 and first["step"] > 5
    train(Line(machine), options, machine, quiet=True)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == first["step"]


def test_a_torn_log_and_lines_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    Record(tmp_path, quiet=True).resume(2)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt"):
        run(tmp_path)


def test_tensorboard_gets_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, 2, tensorboard=True)
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_clock() -> None:
    assert [clock(value) for value in (5, 90, 3700, float("nan"))] == ["0:05", "1:30", "1:01:40", "?"]
