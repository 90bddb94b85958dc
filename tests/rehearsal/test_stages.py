"""What a training at full size takes, counted on fake tensors, against what its weights and numbers weigh."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from torch import nn

from geco.cli.main import main
from geco.errors import ConfigError
from geco.recipes.paper import paper
from geco.recipes.recipe import Recipe
from geco.rehearsal.account import Account
from geco.rehearsal.fits import described, refuse_misfit, smallest_card
from geco.rehearsal.stages import stage1
from geco.simulated import ALLOCATED
from geco.torch_runtime.foreseen import Networks
from tests.cli_command import geco
from tests.multiview import tiny as tiny_views


@pytest.fixture(scope="module")
def networks() -> Networks:
    """Two levels of a few channels, on sheets of latents of 48 x 32."""
    network = tiny_views.network(noised_reference=True)
    network.sample_shape = (4, 48, 32)
    return Networks(network, tiny_views.codec(), nn.Identity())  # type: ignore[arg-type]


def plain(**changes: object) -> Recipe:
    """The paper's recipe without what saves memory."""
    usual = {"checkpointing": False, "batch": 1, "teacher_format": "float32", "optimizer": "adamw"}
    own = replace(paper().stage1, **usual | {"average_on": "device"} | changes)  # type: ignore[arg-type]
    return replace(paper(), stage1=own)


@pytest.fixture(scope="module")
def usual(networks: Networks) -> Account:
    return stage1(networks, plain())


def unet_bytes(networks: Networks) -> int:
    """As they lie on a card, which gives out pieces of 512 bytes."""
    return sum(-(-4 * weight.numel() // ALLOCATED) * ALLOCATED for weight in networks.network.parameters())


def test_three_networks_two_moments_of_two_and_an_average_rest(networks: Networks, usual: Account) -> None:
    one = unet_bytes(networks)
    assert usual.resting["UNets"] == pytest.approx(3 * one, rel=1e-2)
    counters = 2 * ALLOCATED * len(list(networks.network.parameters()))  # of each weight's steps
    assert usual.resting["optimisers"] == 4 * one + counters
    assert usual.resting["moving average"] == pytest.approx(one, rel=1e-2)
    # a trained network's gradient lies there beside all that rests when its optimiser steps
    assert usual.moments["generator: step"] == pytest.approx(sum(usual.resting.values()) + one, rel=2e-2)


def test_a_sample_costs_ten_passes_and_checkpointing_two_more_of_them(
    networks: Networks, usual: Account
) -> None:
    two = stage1(networks, plain(batch=2))
    again = stage1(networks, plain(checkpointing=True))
    kept, two_kept, recomputed = (a.moments["generator: backward"] for a in (usual, two, again))
    assert two_kept > kept > recomputed
    work, more = sum(usual.flop.values()), sum(again.flop.values())
    assert 1.05 < more / work < 1.25
    assert sum(two.flop.values()) == pytest.approx(2 * work, rel=0.05)


def test_micro_batches_add_work_and_one_gradient_that_waits(networks: Networks, usual: Account) -> None:
    recipe = plain()
    length = replace(recipe.length("stage1"), accumulate=4)
    four = stage1(networks, replace(recipe, lengths=recipe.lengths | {"stage1": length}))
    assert four.samples == 4 * usual.samples
    assert sum(four.flop.values()) == pytest.approx(4 * sum(usual.flop.values()), rel=1e-6)
    waiting = four.moments["generator: forward"] - usual.moments["generator: forward"]
    assert waiting == pytest.approx(unet_bytes(networks), rel=2e-2)


def test_what_does_not_fit_is_refused_with_the_nearest_that_does(usual: Account) -> None:
    large, small = (replace(usual, resting={}, moments={"generator: step": n * 10**9}) for n in (30, 10))
    asked = []

    def ask(name: str) -> Account:
        asked.append(name)
        return small if name == "card12" else large

    refuse_misfit("card80", "stage1", large, large.needed, ask)
    with pytest.raises(ConfigError, match=r"takes 30\.0 GB .* the most.*Take --recipe card12: 10\.0"):
        refuse_misfit("card80", "stage1", large, large.needed - 1, ask)
    assert asked == ["paper", "card24", "card12"]
    with pytest.raises(ConfigError, match="take a larger card"):
        refuse_misfit("card12", "stage1", large, 10**9, ask)


def test_without_torch_the_command_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["recipes"]) == 2
    assert "geco recipes needs torch" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_says_it_as_json_and_refuses_what_does_not_fit() -> None:
    asked = ("recipes", "paper", "--stage", "pairs", "--json", "--max-memory")
    enough, little = geco(*asked, "24GiB"), geco(*asked, "6GB")
    said = json.loads(enough.stdout)
    assert enough.returncode == 0 and said["stage"] == "pairs" and 5e9 < said["peak"] < said["needed"]
    assert said["flop"]["float16"] > 4e14
    assert little.returncode == 2 and json.loads(little.stdout) == said
    assert "there are 6.0 GB" in little.stderr and little.stderr.count("\n") == 1


def test_the_lines_name_every_part_and_the_smallest_card(usual: Account) -> None:
    lines = "\n".join(described(usual, "stage1"))
    assert all(name in lines for name in (*usual.resting, *usual.moments))
    size = smallest_card(usual)
    assert size is not None and f"a card of {size} GB" in lines
    assert smallest_card(replace(usual, moments={"most": 10**12})) is None
