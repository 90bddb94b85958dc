from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import ConfigError
from geco.multiview.schedule import Schedule

SCHEDULES = {"linear": Schedule.linear(), "cosine": Schedule.cosine(), "shifted": Schedule.cosine(3.0)}
TYPES = ("v", "eps", "x0")


def _all_timesteps(schedule: Schedule) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 1000, 5, generator=generator)
    t = torch.arange(1000)
    x_t = schedule.add_noise(x0, eps, t)
    signal, level = schedule.levels(t, x0)
    return x_t, {"x0": x0, "eps": eps, "v": signal * eps - level * x0}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("target", TYPES)
def test_conversions_agree_with_the_definitions_at_every_timestep(
    name: str, source: str, target: str
) -> None:
    x_t, known = _all_timesteps(SCHEDULES[name])
    converted = SCHEDULES[name].convert(known[source], x_t, torch.arange(1000), source, target)
    # v -> x0, eps never divide; the others divide by at most 1 / 5.5e-4 (cosine), so by that much of
    # float32's rounding.
    bound = 1e-6 if source in ("v", target) else 2e-5 if name == "linear" else 1e-3
    assert (converted - known[target]).abs().max() <= bound


def test_linear_schedule_is_diffusers() -> None:
    theirs = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="linear", prediction_type="v_prediction"
    )
    ours = Schedule.linear()
    np.testing.assert_allclose(ours.alphas_cumprod, theirs.alphas_cumprod.numpy(), rtol=3e-6)
    x0, eps = torch.randn(2, 4, 3, 2)
    t = torch.tensor([0, 17, 500, 999])
    torch.testing.assert_close(ours.add_noise(x0, eps, t), theirs.add_noise(x0, eps, t), rtol=0, atol=2e-6)
    v = ours.convert(eps, ours.add_noise(x0, eps, t), t, "eps", "v")
    torch.testing.assert_close(
        v, theirs.get_velocity(x0, eps, t), rtol=0, atol=2e-5
    )  # divides by 0.04 at 999
    # the number GECO's paper gives
    assert np.sqrt(ours.alphas_cumprod[999]) == pytest.approx(0.0397, abs=5e-5)


@given(st.floats(0.05, 20.0))
@settings(max_examples=30, deadline=None)
def test_noise_shift_lowers_log_snr_by_its_log(shift: float) -> None:
    plain, shifted = Schedule.cosine().alphas_cumprod, Schedule.cosine(shift).alphas_cumprod
    log_snr, log_snr_shifted = np.log(plain / (1 - plain)), np.log(shifted / (1 - shifted))
    assert np.abs(log_snr_shifted).max() <= 15 + 1e-6
    free = (np.abs(log_snr) < 14.9) & (np.abs(log_snr_shifted) < 14.9)
    np.testing.assert_allclose((log_snr - log_snr_shifted)[free], 2 * np.log(shift), atol=1e-6)


def test_plain_cosine_is_a_cosine() -> None:
    u = (np.arange(999) + 1) / 1000
    np.testing.assert_allclose(
        np.sqrt(Schedule.cosine().alphas_cumprod[:999]), np.cos(np.pi / 2 * u), atol=1e-6
    )


@pytest.mark.parametrize("name", SCHEDULES)
def test_config_round_trip(name: str) -> None:
    again = Schedule.from_config(SCHEDULES[name].config)
    assert np.array_equal(again.alphas_cumprod, SCHEDULES[name].alphas_cumprod)
    table = Schedule(SCHEDULES[name].alphas_cumprod)
    assert np.array_equal(Schedule.from_config(table.config).alphas_cumprod, table.alphas_cumprod)


def test_half_precision_goes_through_float32() -> None:
    schedule, t = SCHEDULES["linear"], torch.tensor([999])
    x0, eps = torch.randn(2, 1, 64)
    noisy = schedule.add_noise(x0.half(), eps.half(), t)
    assert noisy.dtype == torch.float16
    assert schedule.convert(noisy, noisy, t, "v", "x0").dtype == torch.float32


def test_one_timestep_for_a_whole_batch() -> None:
    schedule = SCHEDULES["linear"]
    x0, eps = torch.randn(2, 3, 4, 5)
    assert torch.equal(
        schedule.add_noise(x0, eps, torch.tensor(7)), schedule.add_noise(x0, eps, torch.tensor([7, 7, 7]))
    )


@pytest.mark.parametrize("table", [np.ones(1000), np.linspace(0.1, 0.9, 1000), np.full(10, 0.5)])
def test_what_is_no_schedule_is_refused(table: np.ndarray) -> None:
    with pytest.raises(ConfigError):
        Schedule(table)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError):
        Schedule.from_config({"kind": "sigmoid"})
    with pytest.raises(ConfigError):
        Schedule.cosine(0.0)
    with pytest.raises(ConfigError):
        SCHEDULES["linear"].convert(torch.zeros(1), torch.zeros(1), torch.tensor(0), "v", "flow")
