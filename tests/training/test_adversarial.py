"""Stage I's adversarial term: off it changes nothing, on it tells samples apart, pulls the
generator, and survives a stop.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geco.errors import ConfigError
from geco.training.adversarial import Discriminator, discriminator_loss, generator_term
from geco.training.loop import LoopOptions, train
from tests.training.build import OPTIONS, Pairs, make_task

ON = replace(OPTIONS, adversarial_weight=0.5, discriminator_rate=1e-3)


def losses(folder: Path) -> list[tuple[float, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["student_loss"], line["generator_loss"]) for line in lines if "student_loss" in line]


def test_without_weight_nothing_changes(tmp_path: Path) -> None:
    options = LoopOptions(tmp_path / "plain", steps=3, log_steps=1)
    train(make_task(), options, quiet=True)
    train(
        make_task(replace(ON, adversarial_weight=0.0), pairs=Pairs()),
        replace(options, folder=tmp_path / "zero"),
        quiet=True,
    )
    assert losses(tmp_path / "plain") == losses(tmp_path / "zero") and len(losses(tmp_path / "plain")) == 3
    with pytest.raises(ConfigError, match="pairs"):
        make_task(ON)


def test_the_discriminator_learns_to_tell_two_distributions_apart_and_only_those() -> None:
    random = torch.Generator().manual_seed(0)

    def samples(apart: float) -> torch.Tensor:
        return apart + torch.randn(16, 6, 3, 16, 16, generator=random)

    def trained(apart: float) -> float:
        network = Discriminator(3)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        level = torch.full((16,), 0.5)
        for _ in range(40):
            loss = discriminator_loss(network(samples(apart), level), network(samples(0.0), level))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return discriminator_loss(network(samples(apart), level), network(samples(0.0), level)).item()

    assert trained(0.5) < 0.2
    assert trained(0.0) > 0.9 * 2 * math.log(2)


def test_the_term_moves_samples_towards_the_real_and_leaves_the_discriminator_alone() -> None:
    network = Discriminator(3)
    x = torch.randn(2, 6, 3, 16, 16, requires_grad=True)
    before = generator_term(network, x, torch.full((2,), 0.3))
    before.backward()
    assert x.grad is not None and x.grad.abs().amax((1, 2, 3, 4)).min() > 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert float(generator_term(network, x.detach() - 10 * x.grad, torch.full((2,), 0.3))) < float(before)


def test_its_gradient_reaches_the_generator() -> None:
    gradients = []
    for options in (OPTIONS, ON):
        task = make_task(options, pairs=Pairs())
        task.generator_loss(0, torch.Generator().manual_seed(0))[0].backward()
        gradients.append(
            [parameter.grad for parameter in task.generator.parameters() if parameter.grad is not None]
        )
    assert any(not torch.equal(a, b) for a, b in zip(*gradients))
    assert all(parameter.grad is None for parameter in task.discriminator.parameters())
    task.discriminator.zero_grad()
    task.generator.zero_grad()
    task.discriminator_loss(0, torch.Generator().manual_seed(0))[0].backward()
    assert all(parameter.grad is None for parameter in task.generator.parameters())
    assert all(parameter.grad is not None for parameter in task.discriminator.parameters())


def test_stopped_and_resumed_gives_the_same_weights(tmp_path: Path) -> None:
    for folder, pieces in (("whole", (4,)), ("pieces", (2, 4))):
        for steps in pieces:
            train(
                make_task(ON, pairs=Pairs()),
                LoopOptions(tmp_path / folder, steps=steps, decay_part=0.0),
                quiet=True,
            )
    first, second = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["parts"]
        for name in ("whole", "pieces")
    )
    assert list(first) == ["student", "discriminator", "generator"]
    for part in first:
        assert all(
            torch.equal(value, second[part]["network"][name])
            for name, value in first[part]["network"].items()
        ), part
