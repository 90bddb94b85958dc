"""Variational score distillation of a one-step generator (GECO, section 3.1): the gradient, its weights, the
student's loss.

For x = G(z) and x_t = signal * x + noise_level * eps,

    d loss / d x = w(t) (eps_teacher(x_t) - eps_student(x_t)),

and as eps = (x_t - signal * x0) / noise_level for both, the difference is signal / noise_level * (x0_student
- x0_teacher): only x0 predictions are compared, so that networks of any prediction type serve. All of it in
float32.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.schedule import Schedule

Weighting = Literal["sigma2", "constant", "dmd"]
T_RANGE = (0.02, 0.98)  # part of the timesteps that the gradient is taken at (GECO, section 4.1)
SMALLEST_SCALE = 1e-3  # of "dmd": a generator already at the teacher's prediction must not divide by nothing


def vsd_gradient(
    x: Tensor, teacher_x0: Tensor, student_x0: Tensor, t: Tensor, schedule: Schedule, weighting: Weighting
) -> Tensor:
    """d loss / d x, same shape as x, float32, without graph.

    Args:
        x: (B, ...) the generator's samples.
        teacher_x0, student_x0: (B, ...) what the two say about the same x_t.
        t: (B,) its timesteps.
        weighting: w(t), on which the paper is silent. "sigma2": 1 - alpha_bar (threestudio, SwiftBrush);
            "constant": 1; "dmd": the x0 difference divided by mean |x - teacher_x0| of each sample (DMD,
            equation 8), so that every sample pulls alike whatever its t.
    """
    difference = student_x0.detach().float() - teacher_x0.detach().float()
    if weighting == "dmd":
        apart = (x.detach().float() - teacher_x0.detach().float()).abs()
        scale = apart.flatten(1).mean(dim=1).clamp(min=SMALLEST_SCALE)
        return difference / scale.reshape(-1, *(1 for _ in x.shape[1:]))
    signal, level = schedule.levels(t, x)
    match weighting:
        case "sigma2":
            return signal * level * difference
        case "constant":
            return signal / level * difference
        case _:
            raise ConfigError(f"unknown weighting {weighting!r}", f"Known: {', '.join(get_args(Weighting))}.")


def surrogate(x: Tensor, gradient: Tensor) -> Tensor:
    """A scalar whose gradient with respect to x is ``gradient / x.numel()``; its value is half
    the mean squared step.
    """
    target = (x.float() - gradient).detach()
    return 0.5 * (x.float() - target).square().mean()


def denoising_loss(
    x0: Tensor, prediction_x0: Tensor, t: Tensor, schedule: Schedule, limit: float | None = None
) -> Tensor:
    """The student's loss on the generator's samples: the plain denoising loss of v-prediction, from an x0
    prediction.

    As v = (signal * x_t - x0) / noise_level, |v - v'|^2 = |x0 - x0'|^2 / noise_level^2.

    Args:
        x0: (B, ...) samples, detached. prediction_x0: (B, ...) what the student makes of their noised form.
            t: (B,).
        limit: clip of 1 / noise_level^2; None for none (the paper).
    """
    level = schedule.levels(t, x0)[1]
    weight = 1 / level**2
    if limit is not None:
        weight = weight.clamp(max=limit)
    return (weight * (prediction_x0.float() - x0.detach().float()).square()).mean()


def draw_timesteps(
    count: int, rng: torch.Generator, within: tuple[float, float] = T_RANGE, total: int = 1000
) -> Tensor:
    """(count,) whole timesteps, uniform over the part ``within`` of all ``total``."""
    low, high = round(within[0] * total), round(within[1] * total)
    return torch.randint(low, max(high, low + 1), (count,), generator=rng, device=rng.device)
