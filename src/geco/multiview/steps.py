"""From noise to views step by step: which levels of noise, and how one leads to the next.

For torch tensors and numpy arrays alike, so that both runtimes take the same steps; no torch here.

The two samplers of the public pipelines, diffusers' EulerAncestralDiscreteScheduler and DDIMScheduler with
trailing timesteps, are one formula: in the variance preserving form, an Euler ancestral step from sigma to
sigma' is exactly a DDIM step with eta 1. So x_t is here always what the network sees, and there is nothing to
scale between steps. Tests compare with diffusers' own schedulers for many step counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from geco.errors import ConfigError
from geco.sampling import TIMESTEPS, Sampling

Numbers = TypeVar("Numbers", bound=Any)  # Tensor or NDArray[np.float32]


class Levels(Protocol):
    """What the steps must know of a schedule: alpha_bar (1000,) at each timestep."""

    @property
    def alphas_cumprod(self) -> NDArray[np.float64]: ...


SamplerName = Literal["euler-ancestral", "ddim"]


@dataclass(frozen=True)
class Step:
    """One step: from alpha_bar ``alpha`` at timestep ``t`` to ``alpha_next``, ``eta`` of the
    removed noise renewed, or ``anew``: x0 noised again as if it were data.
    """

    t: int
    alpha: float
    alpha_next: float
    eta: float
    anew: bool = False

    @property
    def renewed(self) -> float:
        """Standard deviation of the fresh noise: eta times DDIM's sigma (arXiv 2010.02502, equation 16)."""
        if self.alpha_next >= 1.0:
            return 0.0
        if self.anew:
            return math.sqrt(1 - self.alpha_next)
        ratio = (1 - self.alpha_next) / (1 - self.alpha) * (1 - self.alpha / self.alpha_next)
        return self.eta * math.sqrt(max(ratio, 0.0))

    def move(self, x0: Numbers, eps: Numbers, noise: Numbers | None) -> Numbers:
        """The next x_t from the predicted x0 and eps, all float32."""
        kept = 0.0 if self.anew else math.sqrt(max(1 - self.alpha_next - self.renewed**2, 0.0))
        moved: Any = math.sqrt(self.alpha_next) * x0 + kept * eps
        after: Numbers = moved if noise is None else moved + self.renewed * noise
        return after


@dataclass(frozen=True)
class Sampler:
    """A named rule for the steps.

    Attributes:
        name: "euler-ancestral" (Zero123++'s) or "ddim" (deterministic; what Stage II's pairs need).
        ends_clean: for DDIM, whether the last step goes to alpha_bar 1 (diffusers' ``set_alpha_to_one``) or
            to that of timestep 0. diffusers steps down by 1000 // steps from each trailing timestep, which
            for some counts (28, 36) lands on timestep 0 exactly, and then this has no effect; so here.
        eta: for DDIM, how much of the removed noise is renewed; 0 is deterministic, 1 is DDPM's variance.
    """

    name: SamplerName = "ddim"
    ends_clean: bool = True
    eta: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(SamplerName):
            raise ConfigError(f"unknown sampler {self.name!r}", f"Known: {', '.join(get_args(SamplerName))}.")

    def plan(self, schedule: Levels, steps: int) -> list[Step]:
        """The steps from noise to picture. ``steps`` is 1 to 1000."""
        timesteps = trailing_timesteps(steps)
        alphas = schedule.alphas_cumprod
        if self.name == "ddim":
            final = 1.0 if self.ends_clean else float(alphas[0])
            nexts = [t - TIMESTEPS // steps for t in timesteps]
            return [
                Step(t, float(alphas[t]), float(alphas[n]) if n >= 0 else final, self.eta)
                for t, n in zip(timesteps, nexts)
            ]
        ends = [float(alphas[t]) for t in timesteps[1:]] + [1.0]
        return [Step(t, float(alphas[t]), end, 1.0) for t, end in zip(timesteps, ends)]

    def first(self, schedule: Levels, steps: int, begin: int) -> int:
        """The first of the plan's timesteps at or below ``begin``; raises ConfigError where none is."""
        found = [step.t for step in self.plan(schedule, steps) if step.t <= begin]
        if not found:
            raise ConfigError(
                f"none of {steps} steps begins at timestep {begin} or below",
                "Take more steps, or a later timestep.",
            )
        return found[0]

    def start(self, schedule: Levels, z: Numbers) -> Numbers:
        """The first x_t from standard normal z. Euler multiplies z by its largest sigma, which is a shade
        under unit variance in our form; DDIM takes z as it is.
        """
        if self.name == "ddim":
            return z
        return z * math.sqrt(1 - schedule.alphas_cumprod[-1])


def trailing_timesteps(steps: int) -> list[int]:
    """Timesteps spaced back from 999: diffusers' ``timestep_spacing="trailing"``."""
    if not 1 <= steps <= TIMESTEPS:
        raise ConfigError(f"cannot sample in {steps} steps", f"Give 1 to {TIMESTEPS}.")
    spaced = np.round(np.arange(TIMESTEPS, 0, -TIMESTEPS / steps)).astype(np.int64) - 1
    return [int(t) for t in spaced[:steps]]


def steps_of(sampling: Sampling, schedule: Levels) -> list[Step]:
    """The steps that a model's settings ask for; a generator's last one leads to x0."""
    if sampling.kind == "one-step" or sampling.kind == "few-step":
        alphas = [float(schedule.alphas_cumprod[t]) for t in sampling.trained_at]
        anew = zip(sampling.trained_at, alphas, alphas[1:])
        last = Step(sampling.trained_at[-1], alphas[-1], 1.0, 0.0)
        return [*(Step(t, alpha, after, 1.0, anew=True) for t, alpha, after in anew), last]
    return Sampler(sampling.kind, eta=sampling.eta).plan(schedule, sampling.steps)


def start_of(sampling: Sampling, schedule: Levels, z: Numbers) -> Numbers:
    """The first x_t from standard normal z."""
    if sampling.kind == "one-step" or sampling.kind == "few-step":
        started: Numbers = z * sampling.truncation
        return started
    return Sampler(sampling.kind).start(schedule, z)
