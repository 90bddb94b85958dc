"""A generator of few steps: what a step is trained on is what it sees in use, and every stage, folder and
runtime takes the same steps.
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
from geco.errors import ConfigError
from geco.multiview.few_step import FewStepGenerator
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.noise import SeededNoise
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView
from geco.sampling import Sampling
from geco.torch_runtime.folder import load_backend
from geco.training.stage1_options import Stage1Options
from tests.training.build import OPTIONS, make_task, tiny_teacher
from tests.training.build_full import full_room

TIMES = (999, 600, 200)
SHAPE = (6, 3, 16, 16)


@pytest.fixture(scope="module")
def network() -> SmallMultiView:
    return tiny_teacher()


def condition(batch: int) -> Condition:
    pictures = torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return PixelCodec(16).condition(pictures)


def by_hand(
    network: SmallMultiView, told: Condition, z: Tensor, noise: SeededNoise, steps: int
) -> list[Tensor]:
    """(input, x0) of each step, by the formula."""
    state, x_t, found = network.encode_condition(told), z, []
    for number, t in enumerate(TIMES[:steps]):
        if number:
            signal, level = network.schedule.levels(torch.tensor([t]), z)
            x_t = signal * found[-1] + level * noise(z.shape)
        found.append(network.predict(x_t, torch.full((len(z),), t), state, "x0").float())
    return found


@torch.no_grad()
def test_the_steps_are_x0_noised_again(network: SmallMultiView) -> None:
    told, codec = condition(2), PixelCodec(16)
    noise, again = SeededNoise([3, 4]), SeededNoise([3, 4])
    wanted = by_hand(network, told, noise((2, *SHAPE)), noise, 3)
    heard: list[tuple[int, int]] = []
    generator = FewStepGenerator(network, TIMES)
    found = generator.generate(told, again, on_step=lambda *step: heard.append(step))
    torch.testing.assert_close(found, wanted[-1], atol=1e-6, rtol=0)
    assert heard == [(1, 3), (2, 3), (3, 3)]
    how = Sampling("few-step", 3, timesteps=TIMES)
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert torch.equal(generate_views(network, codec, pictures, [3, 4], how), codec.decode(found))
    # a seed gives its own whatever stands beside it
    alone = generate_views(network, codec, pictures[1:], [4], how)
    torch.testing.assert_close(alone, codec.decode(found[1:]), atol=1e-5, rtol=0)


def test_each_sample_trains_one_step_on_the_generators_own_output(network: SmallMultiView) -> None:
    told, chosen = condition(3), torch.tensor([2, 0, 1])
    noise, again = SeededNoise([3, 4, 5]), SeededNoise([3, 4, 5])
    z = noise((3, *SHAPE))
    with torch.no_grad():
        wanted = by_hand(network, told, z, noise, 3)
    again((3, *SHAPE))
    generator = FewStepGenerator(network.requires_grad_(True), TIMES)
    found = generator.at_steps(z, told, PixelCodec(16), again, chosen)
    for row, step in enumerate(chosen):
        torch.testing.assert_close(found[row], wanted[step][row], atol=1e-6, rtol=0)
    # the gradient is of the last pass alone: that of the same input, given
    (whole,) = torch.autograd.grad(found[0].square().sum(), network.parameters(), allow_unused=True)[:1]
    signal, level = network.schedule.levels(torch.tensor([TIMES[2]]), z)
    noise = SeededNoise([3, 4, 5])
    drawn = [noise((3, *SHAPE)) for _ in range(3)]
    x_t = (signal * wanted[1] + level * drawn[2])[:1]
    state = network.encode_condition(Condition(told.picture[:1] if told.picture is not None else None))
    last = network.predict(x_t, torch.tensor([TIMES[2]]), state, "x0").float()
    (alone,) = torch.autograd.grad(last.square().sum(), network.parameters(), allow_unused=True)[:1]
    torch.testing.assert_close(whole, alone, atol=1e-4, rtol=1e-3)


def test_one_step_draws_what_it_drew_and_several_reach_every_step() -> None:
    one, few = make_task(OPTIONS), make_task(replace(OPTIONS, steps=3))
    told = one.codec.condition(torch.rand(2, 3, 16, 16))
    samples, after = one.samples, torch.Generator().manual_seed(0)
    samples.fresh(told, after)
    rng = torch.Generator().manual_seed(0)
    torch.randn(2, *SHAPE, generator=rng)
    assert torch.equal(after.get_state(), rng.get_state())  # z and nothing else
    drawn = [float(few.student_loss(n, torch.Generator().manual_seed(n))[0]) for n in range(3)]
    assert np.isfinite(drawn).all() and len(set(drawn)) == 3
    again = make_task(replace(OPTIONS, steps=3))
    assert float(again.student_loss(0, torch.Generator().manual_seed(0))[0]) == drawn[0]
    with pytest.raises(ConfigError, match="not 2 that fall"):
        Stage1Options(steps=2, timesteps=(399, 999))


def test_the_full_family_trains_in_two_steps_and_its_folder_says_so(tmp_path: Path) -> None:
    room = full_room(tmp_path / "full")
    given = ["distill", "stage1", "--data", room / "shards", "--init", room / "init", "-o", room / "two"]
    more = ["--recipe", room / "recipe.py", "--device", "cpu", "--set", "steps=2", "--set", "held_out=1"]
    assert main([*map(str, given), *map(str, more), "--set", "held_out_steps=2"]) == 0
    facts = json.loads((room / "two" / "config.json").read_text())["facts"]
    assert (facts["sampling"]["kind"], facts["sampling"]["steps"], facts["distilled"]) == (
        "few-step",
        2,
        True,
    )
    assert "psnr" in facts["held_out"]
    backend = load_backend(str(room / "two"), "cpu")
    assert backend.distilled and backend.sampling == Sampling("few-step", 2)
    picture = np.full((512, 512, 3), 1, np.float32)
    picture[128:384, 128:384] = (0.8, 0.3, 0.1)
    steps: list[tuple[int, int]] = []
    both = np.asarray(backend.generate([picture], [0, 1], on_step=lambda *step: steps.append(step)))
    one = np.asarray(backend.generate([picture], [0, 1], replace(backend.sampling, kind="one-step", steps=1)))
    assert steps == [(1, 2), (2, 2)] and not np.allclose(both, one)
    np.testing.assert_array_equal(both, np.asarray(backend.generate([picture], [0, 1])))
    pairs = ["distill", "pairs", "--data", room / "shards", "--init", room / "init", "-o", room / "pairs"]
    assert main([*map(str, pairs), *map(str, more[:4]), "--generator", str(room / "two")]) == 0
