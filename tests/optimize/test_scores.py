"""The score terms against their formulas."""

from __future__ import annotations

import pytest
import torch

from geco.cameras import ZERO123PLUS_V12
from geco.multiview.small.codec import PixelCodec
from geco.optimize import OptimizeOptions
from geco.optimize.scores import Scores, Teacher
from geco.training.state import rng_of
from tests.training.build import tiny_teacher

PICTURE = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(4))


def scores(**options: object) -> Scores:
    given: dict[str, object] = {"guidance_scale": 2.0, "student_share": 1.0, **options}
    teacher = Teacher(tiny_teacher(), PixelCodec(16), ZERO123PLUS_V12, 1.0, None, 16, torch.device("cpu"))
    return Scores(teacher, PICTURE, OptimizeOptions(**given))  # type: ignore[arg-type]


def test_the_gradient_of_sds_on_a_linear_renderer_is_dreamfusions_formula() -> None:
    """x = A theta: d loss / d theta = A^T w(t) (eps_teacher - eps) / numel, w(t) = 1 - alpha_bar."""
    made = scores()
    rng = torch.Generator().manual_seed(0)
    renderer = torch.randn(6 * 3 * 16 * 16, 5, generator=rng) * 0.1
    theta = torch.randn(5, generator=rng, requires_grad=True)
    views = 0.5 + (renderer @ theta).reshape(6, 3, 16, 16)
    loss, _ = made.loss(made.encode(views), 0.0, rng_of(1, "x"))
    loss.backward()

    again = rng_of(1, "x")
    t = made.timestep(0.0, again)
    x = (2 * views - 1)[None].detach()
    noise = torch.randn(x.shape, generator=again)
    network, schedule = made.teacher.network, made.teacher.network.schedule
    signal, level = schedule.levels(t, x)
    x_t = signal * x + level * noise
    eps = []
    for condition in (made.condition, made.without):
        assert condition is not None
        with torch.no_grad():
            eps.append(network.predict(x_t, t, network.encode_condition(condition), "eps"))
    wanted = level**2 * (eps[1] + 2.0 * (eps[0] - eps[1]) - noise)
    by_hand = 2 * renderer.T @ wanted.reshape(-1) / x.numel()  # 2: views in [0, 1] to x in [-1, 1]
    assert theta.grad is not None
    torch.testing.assert_close(theta.grad, by_hand, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("rank", [None, 2])
def test_vsd_is_nothing_while_the_student_is_the_teacher_and_something_once_it_has_learned(
    rank: int | None,
) -> None:
    if rank is not None:
        pytest.importorskip("peft")
    made = scores(method="vsd", rank=rank, guidance_scale=1.0, student_rate=1e-2)
    x = made.encode(torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(5)))
    before, _ = made.gradient(x, 0.5, rng_of(0, "a"))
    assert float(before.abs().max()) < 1e-6
    first = made.learn(x, 1.0, rng_of(0, "same"))
    for _ in range(10):
        last = made.learn(x, 1.0, rng_of(0, "same"))
    assert last < first
    assert float(made.gradient(x, 0.5, rng_of(0, "a"))[0].abs().max()) > 1e-4


def test_timesteps_fall_to_where_they_shall_end() -> None:
    made = scores(t_range=(0.02, 0.98), t_end=(0.02, 0.5))
    first, last = (
        max(int(made.timestep(progress, rng_of(0, n))) for n in range(300)) for progress in (0.0, 1.0)
    )
    assert 900 < first < 980
    assert 450 < last < 500
