from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.guidance import guided
from geco.multiview.interface import Condition, ConditionState
from geco.multiview.noise import SeededNoise
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Walk, sample
from geco.multiview.schedule import Schedule
from geco.multiview.steps import Sampler, trailing_timesteps
from tests.multiview import tiny

DIFFUSERS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "prediction_type": "v_prediction",
}
DIFFUSERS |= {"timestep_spacing": "trailing"}
LINEAR = Schedule.linear()
MEAN = torch.tensor([[0.3, -1.0, 2.0]])
COUNTS = (1, 2, 3, 4, 6, 7, 20, 28, 36, 50, 75, 333, 1000)


def _noise(seed: int) -> Callable[[Sequence[int]], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(*shape, generator=generator)


def _theirs(
    scheduler: EulerAncestralDiscreteScheduler | DDIMScheduler, steps: int, z: Tensor, eta: float = 0.0
) -> Tensor:
    """The public pipeline's loop, with the exact Gaussian predictor as its network."""
    network, state = tiny.GaussianNetwork(0.5, LINEAR), ConditionState({"mean": MEAN})
    generator = torch.Generator().manual_seed(5)
    scheduler.set_timesteps(steps)
    x = z * scheduler.init_noise_sigma
    extra = {"eta": eta} if isinstance(scheduler, DDIMScheduler) else {}
    for t in scheduler.timesteps:
        v = network.predict(scheduler.scale_model_input(x, t), t.long().reshape(1), state, "v")
        x = scheduler.step(v, t, x, generator=generator, **extra).prev_sample
    return x


def _ours(sampler: Sampler, steps: int, z: Tensor, on_step: Any = None, **settings: Any) -> Tensor:
    network, walk = tiny.GaussianNetwork(0.5, LINEAR), Walk(steps, sampler, start=z, **settings)
    return sample(network, Condition(MEAN), _noise(5), walk, on_step=on_step)


@pytest.mark.parametrize("steps", COUNTS)
def test_euler_ancestral_is_diffusers(steps: int) -> None:
    z = torch.randn(1, 3, generator=torch.Generator().manual_seed(1))
    theirs = _theirs(EulerAncestralDiscreteScheduler(**DIFFUSERS), steps, z)
    torch.testing.assert_close(_ours(Sampler("euler-ancestral"), steps, z), theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("ends_clean", [False, True])
@pytest.mark.parametrize("eta", [0.0, 0.7])
@pytest.mark.parametrize("steps", COUNTS)
def test_ddim_is_diffusers(steps: int, eta: float, ends_clean: bool) -> None:
    z = torch.randn(1, 3, generator=torch.Generator().manual_seed(1))
    scheduler = DDIMScheduler(**DIFFUSERS, clip_sample=False, set_alpha_to_one=ends_clean)
    theirs = _theirs(scheduler, steps, z, eta)
    torch.testing.assert_close(_ours(Sampler("ddim", ends_clean, eta), steps, z), theirs, rtol=0, atol=2e-5)


def test_timesteps_are_diffusers_for_every_count() -> None:
    scheduler = DDIMScheduler(**DIFFUSERS)
    for steps in range(1, 1001):
        scheduler.set_timesteps(steps)
        ours = trailing_timesteps(steps)
        assert ours == scheduler.timesteps.tolist()[:steps]
        assert len(ours) == steps and ours[0] == 999 and ours[-1] >= 0 and (np.diff(ours) < 0).all()


def test_deterministic_ddim_follows_the_probability_flow() -> None:
    # For Gaussian data the flow is known: the standardised variable never changes.
    spread, z = 0.5, torch.tensor([[-1.0, 0.2, 1.7]])
    x0 = sample(tiny.GaussianNetwork(spread, LINEAR), Condition(MEAN), _noise(0), Walk(1000, start=z))
    end = LINEAR.alphas_cumprod[999]
    standardised = (z - np.sqrt(end) * MEAN) / np.sqrt(end * spread**2 + 1 - end)
    torch.testing.assert_close(x0, MEAN + spread * standardised.float(), rtol=0, atol=5e-3)


@pytest.mark.parametrize("schedule", [LINEAR, Schedule.cosine(2.0)])
def test_ancestral_samples_have_the_data_distribution(schedule: Schedule) -> None:
    network = tiny.GaussianNetwork(0.5, schedule, (1,))
    x0 = sample(
        network,
        Condition(torch.full((1, 1), 0.8)),
        _noise(0),
        Walk(500, Sampler("euler-ancestral")),
        per_picture=20000,
    )
    assert x0.mean().item() == pytest.approx(0.8, abs=0.02)
    assert x0.std().item() == pytest.approx(0.5, abs=0.015)  # a first-order sampler: 6 % low at 100 steps


@pytest.mark.parametrize("name", ["ddim", "euler-ancestral"])
def test_the_native_prediction_type_does_not_matter(name: str) -> None:
    results = [
        sample(
            tiny.GaussianNetwork(0.5, LINEAR, native=native),
            Condition(MEAN),
            _noise(3),
            Walk(9, Sampler(name)),
        )  # type: ignore[arg-type]
        for native in ("v", "eps", "x0")
    ]
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(results[2], results[0], rtol=0, atol=1e-4)


def test_a_clean_reference_is_encoded_once_for_all_steps_and_seeds() -> None:
    network = tiny.GaussianNetwork(0.5, LINEAR)
    sample(network, Condition(MEAN.repeat(2, 1)), _noise(0), Walk(5), per_picture=4)
    assert network.encoded == 2


@pytest.mark.parametrize("noised", [False, True])
def test_a_seed_gives_the_same_alone_and_in_a_batch(noised: bool) -> None:
    network, condition, without = tiny.network(noised), tiny.condition(), tiny.condition(seed=9)
    walk = Walk(3, Sampler("euler-ancestral"), 3.0)
    together = sample(network, condition, SeededNoise([4, 8, 15]), walk, without, 3)
    alone = [sample(network, condition, SeededNoise([seed]), walk, without) for seed in (4, 8, 15)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_clipping_bounds_the_result() -> None:
    assert _ours(Sampler(), 10, torch.full((1, 3), 3.0)).abs().max() > 1
    assert _ours(Sampler(), 10, torch.full((1, 3), 3.0), clip=1.0).abs().max() <= 1


def test_every_step_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    last: list[Tensor] = []

    def note(trace: object) -> None:
        seen.append((trace.index, trace.step.t))  # type: ignore[attr-defined]
        last.append(trace.x_next)  # type: ignore[attr-defined]

    x0 = _ours(Sampler(), 4, torch.zeros(1, 3), on_step=note)
    assert seen == [(0, 999), (1, 749), (2, 499), (3, 249)] and torch.equal(last[-1], x0)


def test_guidance_extrapolates() -> None:
    network, x_t, t = tiny.network(), torch.randn(2, *tiny.SHEET), torch.tensor([999, 20])
    state = network.encode_condition(tiny.condition(2))
    other = network.encode_condition(tiny.condition(2, seed=7))
    with_picture, without = (network.predict(x_t, t, s, "v") for s in (state, other))
    torch.testing.assert_close(
        guided(network, x_t, t, state, other, 4.0, "v"),
        without + 4 * (with_picture - without),
        rtol=0,
        atol=2e-5,
    )
    assert torch.equal(guided(network, x_t, t, state, other, 1.0, "v"), with_picture)
    torch.testing.assert_close(guided(network, x_t, t, state, other, 0.0, "v"), without, rtol=0, atol=1e-5)
    # a state without reference tokens cannot share the batch and goes on its own
    bare = network.encode_condition(Condition(None, tiny.condition(2, seed=7).text))
    assert not bare.joins(state)
    plain = network.predict(x_t, t, bare, "v")
    torch.testing.assert_close(
        guided(network, x_t, t, state, bare, 2.0, "v"), 2 * with_picture - plain, rtol=0, atol=1e-5
    )


def test_one_step_is_the_first_step_of_a_clean_reference_sampler() -> None:
    network, condition = tiny.network(), tiny.condition()
    one = OneStepGenerator(network).generate(condition, SeededNoise([3, 4]), 2)
    ddim = sample(network, condition, SeededNoise([3, 4]), Walk(1), per_picture=2)
    torch.testing.assert_close(one, ddim, rtol=0, atol=1e-5)
    z, state = SeededNoise([3, 4])((2, *tiny.SHEET)), network.encode_condition(condition).expand(2)
    alpha = LINEAR.alphas_cumprod[999]
    v = network.predict(z, torch.tensor([999, 999]), state, "v")
    torch.testing.assert_close(
        one, float(np.sqrt(alpha)) * z - float(np.sqrt(1 - alpha)) * v, rtol=0, atol=1e-6
    )


def test_one_step_with_guidance() -> None:
    network, condition, without = tiny.network(), tiny.condition(), tiny.condition(seed=5)
    plain = [OneStepGenerator(network).generate(c, SeededNoise([0])) for c in (condition, without)]
    strong = OneStepGenerator(network, guidance_scale=4.0).generate(
        condition, SeededNoise([0]), unconditional=without
    )
    torch.testing.assert_close(strong, plain[1] + 4 * (plain[0] - plain[1]), rtol=0, atol=1e-5)


def test_gradients_reach_the_weights_through_both_passes() -> None:
    network = tiny.network().requires_grad_(True)
    generator = OneStepGenerator(network)
    state = generator.encode(tiny.condition())
    generator(torch.randn(1, *tiny.SHEET), state.detach()).sum().backward()
    read_only = network.unet.conv_in.weight.grad.clone()
    network.zero_grad()
    generator(
        torch.randn(1, *tiny.SHEET, generator=torch.Generator().manual_seed(0)),
        generator.encode(tiny.condition()),
    ).sum().backward()
    both = network.unet.conv_in.weight.grad
    assert read_only.abs().max() > 0 and (both - read_only).abs().max() > 1e-6


@pytest.mark.parametrize("steps", [0, 1001])
def test_step_counts_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError):
        trailing_timesteps(steps)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ConfigError):
        Sampler("heun")  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        _ours(Sampler(), 2, torch.zeros(1, 3), guidance_scale=2.0)
    with pytest.raises(ConfigError):
        SeededNoise([])
    with pytest.raises(ConfigError):
        SeededNoise([1, 2])((3, 4))


def test_seeded_noise_is_normal_and_repeatable() -> None:
    draw = SeededNoise([0, 1])((2, 50000))
    assert torch.equal(draw, SeededNoise([0, 1])((2, 50000)))
    assert (
        draw.mean().abs() < 0.02
        and abs(draw.std().item() - 1) < 0.01
        and (draw[0] * draw[1]).mean().abs() < 0.02
    )
    assert torch.equal(SeededNoise([1])((1, 50000))[0], draw[1])
    blocks = SeededNoise([0, 1])((4, 3))  # two blocks, each holding one item a seed
    assert torch.equal(blocks[[0, 2]], SeededNoise([0])((2, 3)))
