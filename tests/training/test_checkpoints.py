"""A run's state as one file, or as every process's pieces: the same state, whole or not there."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from geco.errors import ConfigError, WeightsError
from geco.training.gradients import clip, step
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine, Parallel
from geco.training.sharded_checkpoint import TABLE, newest
from geco.training.task import Part
from tests.training.line import Line


class AdamLine(Line):
    """With an optimiser that keeps something."""

    def parts(self) -> list[Part]:
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.1)
        return [Part("line", self.network, [optimizer], self.loss, average=0.9, clip=9)]


def run(folder: Path, steps: int, parallel: Parallel = "ddp") -> AdamLine:
    machine = Machine(device="cpu", parallel=parallel)
    task = AdamLine(machine)
    options = LoopOptions(folder, steps=steps, decay_part=0.0, warmup_steps=1, log_steps=1)
    train(task, options, machine, quiet=True)
    return task


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_a_run_goes_on_from_either_form_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 6)
    forms: list[tuple[Parallel, Parallel]] = [("ddp", "fsdp"), ("fsdp", "ddp"), ("fsdp", "fsdp")]
    for number, (before, after) in enumerate(forms):
        folder = tmp_path / str(number)
        run(folder, 3, before)
        assert same(run(folder, 6, after).network, whole.network)
        # the newer form is the only one
        assert (folder / "checkpoint.pt").exists() == (after == "ddp")
        assert (newest(folder) is not None) == (after == "fsdp")
        average = torch.load(folder / "line.pt", weights_only=True)
        assert all(
            torch.equal(value, average[name])
            for name, value in torch.load(tmp_path / "whole" / "line.pt", weights_only=True).items()
        )


def test_of_two_checkpoints_the_one_of_more_steps_counts(tmp_path: Path) -> None:
    """A kill between writing the new form and removing the old one leaves both."""
    run(tmp_path / "run", 2, "fsdp")
    shutil.copytree(tmp_path / "run" / "checkpoint-00000002", tmp_path / "older")
    run(tmp_path / "run", 4, "ddp")
    shutil.copytree(tmp_path / "older", tmp_path / "run" / "checkpoint-00000002")
    assert same(run(tmp_path / "run", 6, "ddp").network, run(tmp_path / "whole", 6).network)


def test_a_half_written_folder_is_no_checkpoint(tmp_path: Path) -> None:
    run(tmp_path / "run", 3, "fsdp")
    partial = tmp_path / "run" / ".checkpoint.part"
    shutil.copytree(tmp_path / "run" / "checkpoint-00000003", partial)
    (partial / TABLE).unlink()
    assert same(run(tmp_path / "run", 6, "fsdp").network, run(tmp_path / "whole", 6).network)
    assert not partial.exists()


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("evil"),))


@pytest.mark.parametrize("content", [b"", b"\x80\x04 half", pickle.dumps(Evil()), pickle.dumps({"a": 1})])
def test_a_table_that_is_none_is_named_and_nothing_in_it_runs(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "run", 1, "fsdp")
    found = newest(tmp_path / "run")
    assert found is not None
    (found / TABLE).write_bytes(content)
    with pytest.raises(WeightsError, match=r"\.metadata"):
        run(tmp_path / "run", 2, "fsdp")
    assert not (tmp_path / "evil").exists()


def test_missing_pieces_are_damage(tmp_path: Path) -> None:
    run(tmp_path / "run", 1, "fsdp")
    found = newest(tmp_path / "run")
    assert found is not None
    next(found.glob("*.distcp")).write_bytes(b"half")
    with pytest.raises(WeightsError, match="checkpoint-00000001 is damaged"):
        run(tmp_path / "run", 2, "fsdp")


def test_whole_networks_are_not_taken_for_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "run", 1)
    monkeypatch.setattr(Machine, "shards", True)
    with pytest.raises(ConfigError, match="parallel=ddp"):
        run(tmp_path / "run", 2)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_the_loss_scale_of_float16_goes_on_too(tmp_path: Path, parallel: Parallel) -> None:
    def scaled(steps: int) -> torch.amp.GradScaler:
        machine = Machine(device="cpu", parallel=parallel)
        machine.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
        options = LoopOptions(tmp_path / "run", steps=steps, decay_part=0.0, warmup_steps=1)
        train(AdamLine(machine), options, machine, quiet=True)
        return machine.scaler

    assert scaled(5).get_scale() == 2.0**12  # grown twice, and once on the way
    assert scaled(6).get_scale() == 2.0**13


def test_a_step_that_is_not_finite_is_left_out_by_all_of_a_parts_optimizers() -> None:
    machine = Machine(device="cpu")
    machine.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    network = nn.Linear(2, 2)
    optimizers = [torch.optim.SGD([parameter], lr=1.0) for parameter in network.parameters()]
    part = Part("line", network, list(optimizers), lambda index, rng: (torch.zeros(()), {}), clip=1e9)
    before = network.weight.detach().clone()
    machine.backward(network(torch.ones(1, 2)).sum())
    clip(machine, part)
    step(machine, part.optimizers)
    # unscaled once, although there are two optimisers
    assert torch.allclose(before - network.weight.detach(), torch.ones(2, 2))
    machine.backward(network(torch.full((1, 2), torch.inf)).sum())
    clip(machine, part)
    step(machine, part.optimizers)
    assert torch.allclose(before - network.weight.detach(), torch.ones(2, 2))
    assert machine.scaler.get_scale() == 2.0
