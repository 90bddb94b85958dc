"""Optimisers of Stage I: the same steps by another kernel, nearly the same by eight bits; resumed; freed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from geco.errors import ConfigError, MissingExtraError
from geco.simulated import simulated
from geco.training import family
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.optimizers import Optimizer, optimizers_of
from geco.training.small_family import SMALL
from geco.training.stage1_options import Stage1Options
from tests.training.build import OPTIONS, make_task

TEACHER = Path(__file__).parents[2] / "models" / "small" / "teacher"
WIDTH = 100  # squared above the 4,096 numbers below which bitsandbytes keeps 32 bits


def descend(kind: Optimizer, steps: int, rate: float = 1e-2) -> tuple[float, nn.Module]:
    """Loss of a small regression after so many steps, and its network."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
    (optimizer,) = optimizers_of(network, rate, Stage1Options(optimizer=kind))
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(256, WIDTH, generator=rng)
    y = torch.sin(x[:, :1])
    for _ in range(steps):
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach()), network


def test_fused_and_plain_take_the_same_steps() -> None:
    plain, fused = (descend(kind, 5)[1] for kind in ("adamw", "fused"))  # type: ignore[arg-type]
    for a, b in zip(plain.parameters(), fused.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_eight_bits_descend_as_far_as_thirty_two() -> None:
    pytest.importorskip("bitsandbytes")
    before, _ = descend("adamw", 1)
    plain, _ = descend("adamw", 40)
    coarse, network = descend("adam8bit", 40)
    assert plain < 0.2 * before and coarse == pytest.approx(plain, rel=0.25)
    assert not torch.equal(network[0].weight, descend("adamw", 40)[1][0].weight)  # type: ignore[index]


def test_eight_bits_take_two_bytes_a_parameter_and_a_simulation_says_so() -> None:
    pytest.importorskip("bitsandbytes")
    taken = {}
    for kind in ("adamw", "fused", "adam8bit"):
        with simulated() as run:
            network = nn.Linear(1024, 1024, bias=False)
            (optimizer,) = optimizers_of(network, 1e-3, Stage1Options(optimizer=kind))
            network(torch.empty(1, 1024)).sum().backward()
            before = run.live
            optimizer.step()
            taken[kind] = (run.live - before) / network.weight.numel()
    assert taken["adamw"] == taken["fused"] == pytest.approx(8, rel=0.01)
    assert taken["adam8bit"] == pytest.approx(2 + 8 / 256, rel=0.01)


def test_eight_bits_on_another_device_are_refused() -> None:
    with pytest.raises(ConfigError, match="optimizer=fused"):
        optimizers_of(nn.Linear(2, 2, device="meta"), 1e-3, Stage1Options(optimizer="adam8bit"))


def test_a_missing_library_is_told_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geco.training.optimizers.find_spec", lambda name: None)
    for kind, rank, name in (("adam8bit", None, "bitsandbytes"), ("fused", 4, "peft")):
        options, inputs = (
            Stage1Options(optimizer=kind, rank=rank),
            Inputs(Machine("no", "cpu", 1), init=TEACHER),
        )  # type: ignore
        with pytest.raises(MissingExtraError, match=name):
            family.stage1(SMALL, options, inputs)


@pytest.mark.parametrize("kind", ["fused", "adam8bit"])
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path: Path, kind: Optimizer) -> None:
    if kind == "adam8bit":
        pytest.importorskip("bitsandbytes")
    options = replace(OPTIONS, optimizer=kind, average_on="host")
    for folder, pieces in (("whole", (4,)), ("pieces", (2, 4))):
        for steps in pieces:
            length = LoopOptions(tmp_path / folder, steps=steps, decay_part=0.0, warmup_steps=1)
            train(make_task(options), length, quiet=True)
    states = [
        torch.load(tmp_path / folder / "checkpoint.pt", weights_only=True)["parts"]
        for folder in ("whole", "pieces")
    ]
    for part in ("generator", "student"):
        for name, value in states[0][part]["network"].items():
            assert torch.equal(value, states[1][part]["network"][name]), name
    for name, value in states[0]["generator"]["average"]["values"].items():
        assert torch.equal(value, states[1]["generator"]["average"]["values"][name]), name
    assert (tmp_path / "whole" / "network.safetensors").read_bytes() == (
        tmp_path / "pieces" / "network.safetensors"
    ).read_bytes()


def test_while_one_network_learns_the_other_holds_no_gradient(tmp_path: Path) -> None:
    task = make_task()
    seen = []

    def watched(name: str, other: nn.Module) -> None:
        inner = getattr(task, f"{name}_loss")

        def loss(index: int, rng: torch.Generator) -> object:
            seen.append(sum(p.grad is not None for p in other.parameters()))
            return inner(index, rng)

        setattr(task, f"{name}_loss", loss)

    watched("student", task.generator)  # type: ignore[arg-type]
    watched("generator", task.student)  # type: ignore[arg-type]
    train(task, LoopOptions(tmp_path, steps=2, warmup_steps=1), quiet=True)
    assert seen == [0] * 4
