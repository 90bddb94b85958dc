"""The recipes for single cards: what they share, and each trained, stopped and resumed by the command on the
full family at tiny width.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.cli.main import main
from geco.model_files.card import MULTIVIEW
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.recipes.find import RECIPES, find_recipe
from geco.torch_runtime.folder import load_backend
from geco.training import family
from geco.training.full_family import FULL
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.stage1_options import Format, Stage1Options
from tests.training.build_full import full_room

CARDS = ("card12", "card24", "paper", "card80")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_room(tmp_path_factory.mktemp("cards"))


def test_every_card_takes_the_papers_steps() -> None:
    pictures = {}
    for name in CARDS:
        recipe, paper = find_recipe(name), find_recipe("paper")
        assert recipe.name == name and name in RECIPES and (RECIPES[name].__doc__ or "").strip()
        for stage, batch in (("stage1", recipe.stage1.batch), ("stage2", recipe.stage2.batch)):
            length = recipe.lengths[stage]  # type: ignore[index]
            assert length.steps == paper.lengths[stage].steps  # type: ignore[index]
            pictures[name, stage] = batch * length.accumulate
        same = ("guidance_scale", "weighting", "average", "student_repeats", "timestep", "t_range", "clip")
        assert all(getattr(recipe.stage1, field) == getattr(paper.stage1, field) for field in same)
        assert recipe.precision == "bf16"
    assert {pictures[name, stage] for name in CARDS for stage in ("stage1", "stage2")} == {4, 8}
    assert [name for name in CARDS if pictures[name, "stage1"] != 4] == ["card80"]
    assert all(pictures[name, "stage2"] == 4 for name in CARDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_a_card_recipe_trains_stops_goes_on_and_makes_a_model(room: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("peft")
    if name == "card24":
        pytest.importorskip("bitsandbytes")

    def trained(folder: Path, steps: int, *more: str) -> Path:
        given = f"distill stage1 --recipe {name} --data {room / 'shards'} --init {room / 'init'} -o {folder}"
        assert main([*f"{given} --device cpu --steps {steps} --set held_out_steps=2".split(), *more]) == 0
        return folder

    whole = trained(tmp_path / "whole", 3)
    again = trained(tmp_path / "again", 2)
    trained(again, 3, "--resume")
    unet = Path(MULTIVIEW) / "unet.safetensors"
    assert (whole / unet).read_bytes() == (again / unet).read_bytes()
    old, new = (load_zero123plus(folder / MULTIVIEW).network for folder in (room / "init", whole))
    assert {value.dtype for value in new.state_dict().values()} == {torch.float32}
    assert any(not torch.equal(a, b) for a, b in zip(old.state_dict().values(), new.state_dict().values()))
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(line["generator_loss"]) for line in lines if "generator_loss" in line)
    views = load_backend(str(whole), "cpu").generate([np.full((512, 512, 3), 0.5, np.float32)], [0])
    assert np.isfinite(np.asarray(views)).all()


def losses_and_gradient(room: Path, options: Stage1Options) -> tuple[list[float], Tensor]:
    """Of student and generator on the first batch; both gradients as one vector."""
    task = family.stage1(FULL, options, Inputs(Machine("no", "cpu", 1), room / "shards", room / "init"))
    losses, gradients = [], []
    for part in task.parts():
        rng = torch.Generator().manual_seed(5)
        for (
            parameter
        ) in part.parameters:  # away from the start, where an adapter's first factor learns nothing
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=rng)
        loss, _ = part.loss(0, rng)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients += [p.grad.flatten() for p in part.parameters if p.grad is not None]
    return losses, torch.cat(gradients)


@pytest.mark.parametrize("rank", [None, 4])
def test_frozen_weights_in_bfloat16_learn_as_in_float32(room: Path, rank: int | None) -> None:
    if rank:
        pytest.importorskip("peft")
    options = replace(find_recipe("paper").stage1, batch=1, rank=rank)
    formats: tuple[Format, ...] = ("float32", "bfloat16")
    (plain, exact), (rounded, coarse) = (
        losses_and_gradient(room, replace(options, teacher_format=number)) for number in formats
    )
    assert rounded != plain and rounded == pytest.approx(plain, rel=0.05)
    assert float(torch.cosine_similarity(exact, coarse, dim=0)) > 0.99
    assert float(coarse.norm() / exact.norm()) == pytest.approx(1, abs=0.05)
