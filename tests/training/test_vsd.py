"""The VSD gradient against closed forms: Gaussians, a two-dimensional mixture, and a student that
learns a score.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from geco.multiview.schedule import Schedule
from geco.training.vsd import Weighting, denoising_loss, draw_timesteps, surrogate, vsd_gradient

SCHEDULE = Schedule.cosine()


def gaussian_x0(x_t: Tensor, t: Tensor, mean: Tensor | float, deviation: Tensor | float) -> Tensor:
    """E[x0 | x_t] for x0 ~ N(mean, deviation^2)."""
    signal, level = SCHEDULE.levels(t, x_t)
    gain = signal * deviation**2 / (signal**2 * deviation**2 + level**2)
    return mean + gain * (x_t - signal * mean)


def mixture_x0(x_t: Tensor, t: Tensor, means: Tensor, deviation: float) -> Tensor:
    """E[x0 | x_t] for an even mixture of N(means[k], deviation^2) in two dimensions; x_t (B, 2),
    means (K, 2).
    """
    signal, level = SCHEDULE.levels(t, x_t)
    variance = signal**2 * deviation**2 + level**2
    distance = (x_t[:, None] - signal[:, None] * means).square().sum(-1)
    share = torch.softmax(-distance / (2 * variance), dim=1)
    each = torch.stack([gaussian_x0(x_t, t, mean, deviation) for mean in means], dim=1)
    return (share[..., None] * each).sum(dim=1)


@pytest.mark.parametrize("weighting", ["sigma2", "constant"])
@pytest.mark.parametrize(("mean", "deviation"), [(0.7, 0.5), (-0.4, 1.3), (0.0, 0.2)])
def test_gradient_of_gaussians_is_the_closed_form(
    weighting: Weighting, mean: float, deviation: float
) -> None:
    """d KL(q_t || p_t) / d(mean, deviation of G), times w(t) noise_level / signal, at one t."""
    generator = torch.Generator().manual_seed(0)
    target_mean, target_deviation = 0.1, 0.8
    t = torch.tensor([400])
    z = torch.randn(400_000, 1, generator=generator, dtype=torch.float64)
    noise = torch.randn(z.shape, generator=generator, dtype=torch.float64)
    theta = torch.tensor([mean, deviation], dtype=torch.float64, requires_grad=True)
    x = theta[0] + theta[1] * z
    ts = t.expand(len(x))
    signal, level = (value.double() for value in SCHEDULE.levels(ts, x))
    x_t = (signal * x + level * noise).detach()
    real, fake = gaussian_x0(x_t, ts, target_mean, target_deviation), gaussian_x0(x_t, ts, mean, deviation)
    gradient = vsd_gradient(x, real, fake, ts, SCHEDULE, weighting)
    (found,) = torch.autograd.grad(surrogate(x, gradient), theta)
    a, b = float(signal[0, 0]), float(level[0, 0])
    spread, target = a**2 * deviation**2 + b**2, a**2 * target_deviation**2 + b**2
    kl_mean = a**2 * (mean - target_mean) / target
    kl_deviation = a**2 * deviation * (1 / target - 1 / spread)
    weight = {"sigma2": b**2, "constant": 1.0}[weighting] * b / a  # eps = -level * score; dx_t/dx = signal
    assert found[0] == pytest.approx(weight * kl_mean, abs=3e-3 * weight)
    assert found[1] == pytest.approx(weight * kl_deviation, abs=3e-3 * weight)
    if abs(deviation - target_deviation) > 0.1:  # too wide shrinks, too narrow grows
        assert math.copysign(1, float(found[1])) == math.copysign(1, deviation - target_deviation)


@pytest.mark.parametrize("weighting", ["sigma2", "constant", "dmd"])
@pytest.mark.parametrize("start", [0.2, 2.5])
def test_a_generator_of_two_modes_finds_the_mixture(weighting: Weighting, start: float) -> None:
    """G draws one of two points with a spread; from modes too close and from modes too far it
    goes to the target's.
    """
    generator = torch.Generator().manual_seed(1)
    target = torch.tensor([[1.0, 0.5], [-1.0, -0.5]])
    means = nn.Parameter(torch.tensor([[start, -0.3], [-start, 0.3]]))
    log_spread = nn.Parameter(torch.tensor(math.log(0.7 if start < 1 else 0.05)))
    optimizer = torch.optim.Adam([means, log_spread], lr=0.02)
    for step in range(800):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / 800)
        half = torch.randint(2, (512,), generator=generator)
        spread = log_spread.exp()
        x = means[half] + spread * torch.randn(512, 2, generator=generator)
        t = draw_timesteps(512, generator)
        x_t = SCHEDULE.add_noise(x.detach(), torch.randn(x.shape, generator=generator), t)
        real = mixture_x0(x_t, t, target, 0.25)
        fake = mixture_x0(x_t, t, means.detach(), float(spread.detach()))
        loss = surrogate(x, vsd_gradient(x, real, fake, t, SCHEDULE, weighting)) * x.numel() / 512
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # which half goes to which mode is free
    found = means.detach()[means.detach()[:, 0].argsort(descending=True)]
    assert (found - target).abs().max() < 0.01
    assert float(log_spread.detach().exp()) == pytest.approx(0.25, abs=0.01)


def test_the_students_loss_gives_the_score_of_the_samples() -> None:
    """A network trained by denoising_loss on N(0.6, 0.3^2) predicts the posterior mean of that Gaussian."""
    generator = torch.Generator().manual_seed(2)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        gain, offset = network(torch.cat(SCHEDULE.levels(t, x_t), dim=1)).chunk(2, dim=1)
        return gain * x_t + offset

    for step in range(1500):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 1500)
        x = 0.6 + 0.3 * torch.randn(1024, 1, generator=generator)
        t = draw_timesteps(1024, generator)
        x_t = SCHEDULE.add_noise(x, torch.randn(x.shape, generator=generator), t)
        loss = denoising_loss(x, predict(x_t, t), t, SCHEDULE, limit=25.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for level in (100, 300, 500, 700, 900):
        t = torch.full((200,), level)
        signal, noise = SCHEDULE.levels(t, torch.zeros(200, 1))
        deviation = (signal**2 * 0.09 + noise**2).sqrt()
        x_t = signal * 0.6 + deviation * torch.linspace(-2, 2, 200)[:, None]
        with torch.no_grad():
            error = predict(x_t, t) - gaussian_x0(x_t, t, 0.6, 0.3)
        assert error.square().mean().sqrt() < 0.03


def test_no_gradient_where_student_and_teacher_agree_and_equal_pull_for_dmd() -> None:
    generator = torch.Generator().manual_seed(3)
    x, real = torch.randn(4, 6, 3, 8, 8, generator=generator), torch.randn(4, 6, 3, 8, 8, generator=generator)
    t = torch.tensor([50, 300, 600, 950])
    for weighting in ("sigma2", "constant", "dmd"):
        assert vsd_gradient(x, real, real, t, SCHEDULE, weighting).abs().max() == 0  # type: ignore[arg-type]
    scaled = vsd_gradient(x, real, x, t, SCHEDULE, "dmd")
    assert torch.allclose(scaled.abs().flatten(1).mean(1), torch.ones(4), atol=1e-5)


def test_sigma2_is_constant_times_the_noise_variance() -> None:
    x = torch.randn(3, 5)
    t = torch.tensor([20, 500, 979])
    one, other = (vsd_gradient(x, x * 0.3, x * 0.1, t, SCHEDULE, w) for w in ("sigma2", "constant"))
    assert torch.allclose(one, other * SCHEDULE.levels(t, x)[1] ** 2, atol=1e-6)


def test_timesteps_keep_to_the_papers_range() -> None:
    t = draw_timesteps(20_000, torch.Generator().manual_seed(0))
    assert int(t.min()) == 20 and int(t.max()) == 979
