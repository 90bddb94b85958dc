"""Sampling in many steps, one loop for both families of networks.

The two samplers of the public pipelines, diffusers' EulerAncestralDiscreteScheduler and DDIMScheduler with
trailing
timesteps, are one formula: in the variance preserving form, an Euler ancestral step from sigma to sigma' is
exactly a DDIM step with eta 1. So x_t is here always what the network sees, and there is nothing to scale
between steps. Tests compare with diffusers' own schedulers for many step counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.guidance import guided
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork
from geco.multiview.noise import NoiseSource
from geco.multiview.schedule import TIMESTEPS, Schedule

SamplerName = Literal["euler-ancestral", "ddim"]


@dataclass(frozen=True)
class Step:
    """One step: from alpha_bar ``alpha`` at timestep ``t`` to ``alpha_next``, ``eta`` of the
    removed noise renewed.
    """

    t: int
    alpha: float
    alpha_next: float
    eta: float

    @property
    def renewed(self) -> float:
        """Standard deviation of the fresh noise: eta times DDIM's sigma (arXiv 2010.02502, equation 16)."""
        if self.alpha_next >= 1.0:
            return 0.0
        ratio = (1 - self.alpha_next) / (1 - self.alpha) * (1 - self.alpha / self.alpha_next)
        return self.eta * math.sqrt(max(ratio, 0.0))

    def move(self, x0: Tensor, eps: Tensor, noise: Tensor | None) -> Tensor:
        """The next x_t from the predicted x0 and eps, all float32."""
        kept = math.sqrt(max(1 - self.alpha_next - self.renewed**2, 0.0))
        moved = math.sqrt(self.alpha_next) * x0 + kept * eps
        return moved if noise is None else moved + self.renewed * noise


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

    def plan(self, schedule: Schedule, steps: int) -> list[Step]:
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

    def first(self, schedule: Schedule, steps: int, begin: int) -> int:
        """The first of the plan's timesteps at or below ``begin``; raises ConfigError where none is."""
        found = [step.t for step in self.plan(schedule, steps) if step.t <= begin]
        if not found:
            raise ConfigError(
                f"none of {steps} steps begins at timestep {begin} or below",
                "Take more steps, or a later timestep.",
            )
        return found[0]

    def start(self, schedule: Schedule, z: Tensor) -> Tensor:
        """The first x_t from standard normal z. Euler multiplies z by its largest sigma, which is a shade
        under unit variance in our form; DDIM takes z as it is.
        """
        if self.name == "ddim":
            return z
        return z * math.sqrt(1 - schedule.alphas_cumprod[schedule.last])


def trailing_timesteps(steps: int) -> list[int]:
    """Timesteps spaced back from 999: diffusers' ``timestep_spacing="trailing"``."""
    if not 1 <= steps <= TIMESTEPS:
        raise ConfigError(f"cannot sample in {steps} steps", f"Give 1 to {TIMESTEPS}.")
    spaced = np.round(np.arange(TIMESTEPS, 0, -TIMESTEPS / steps)).astype(np.int64) - 1
    return [int(t) for t in spaced[:steps]]


@dataclass(frozen=True)
class Trace:
    """What one step did, for progress bars, picture grids and parity tests; tensors (B,
    *sample_shape) float32.
    """

    index: int
    step: Step
    x_t: Tensor
    prediction: Tensor  # after guidance, of the network's native type
    x0: Tensor
    x_next: Tensor


@torch.no_grad()
def sample(
    network: MultiViewNetwork,
    condition: Condition,
    noise: NoiseSource,
    *,
    steps: int = 75,
    sampler: Sampler | None = None,
    unconditional: Condition | None = None,
    guidance_scale: float = 1.0,
    per_picture: int = 1,
    start: Tensor | None = None,
    clip: float | None = None,
    begin: int | None = None,
    on_step: Callable[[Trace], None] | None = None,
) -> Tensor:
    """Sample views for every picture of ``condition``; float32 x0 (B * per_picture, *sample_shape).

    Args:
        condition: of B pictures, on the network's device and of its dtype.
        noise: source of the start, the noised references and the ancestral noise, in this order and step by
            step.
        sampler: deterministic DDIM unless given.
        unconditional: what guidance pushes away from; needed where ``guidance_scale`` is not 1.
        per_picture: samples of each picture, as one batch; a clean reference is encoded once for all of them.
        start: (B * per_picture, *sample_shape) standard normal z to start from, instead of a draw.
        begin: leave out the steps before this timestep; ``start`` is then the x_t of the first one left
            (:meth:`Sampler.first`).
        clip: bound on the predicted |x0|; None (as the public models) leaves latents alone, 1 suits pixels.
        on_step: called after every step.
    """
    if guidance_scale != 1.0 and unconditional is None:
        raise ConfigError(
            f"guidance {guidance_scale} needs an unconditional condition", "Give one, or guidance 1."
        )
    told = (condition,) if guidance_scale == 1.0 or unconditional is None else (unconditional, condition)
    reference = condition.picture if condition.picture is not None else condition.text
    if reference is None:
        raise ConfigError("a condition needs a picture or text states", "Make it with the model's codec.")
    batch, device = reference.shape[0] * per_picture, reference.device
    sampler = sampler or Sampler()

    z = (noise((batch, *network.sample_shape)) if start is None else start).to(device).float()
    x_t = sampler.start(network.schedule, z)
    clean = (
        [] if network.noised_reference else [network.encode_condition(c).expand(per_picture) for c in told]
    )
    repeated = [c.expand(per_picture) for c in told] if network.noised_reference else []
    plan = [step for step in sampler.plan(network.schedule, steps) if begin is None or step.t <= begin]
    for index, step in enumerate(plan):
        t = torch.full((batch,), step.t, device=device, dtype=torch.long)
        *without, state = clean or _noised_states(network, repeated, t, noise)
        native = network.native_prediction
        prediction = guided(
            network, x_t, t, state, without[0] if without else None, guidance_scale, native
        ).float()
        x0 = network.schedule.convert(prediction, x_t, t, native, "x0")
        if clip is None:
            eps = network.schedule.convert(prediction, x_t, t, native, "eps")
        else:
            x0 = x0.clamp(-clip, clip)
            eps = network.schedule.convert(x0, x_t, t, "x0", "eps")
        fresh = noise(x_t.shape).to(device) if step.eta else None
        x_next = step.move(x0, eps, fresh)
        if on_step is not None:
            on_step(Trace(index, step, x_t, prediction, x0, x_next))
        x_t = x_next
    return x_t


def _noised_states(
    network: MultiViewNetwork, told: list[Condition], t: Tensor, noise: NoiseSource
) -> list[ConditionState]:
    """Write passes of references noised to ``t``; the noise of all conditions is one draw,
    unconditional first.
    """
    pictures = [c.picture for c in told if c.picture is not None]
    draw = noise((sum(len(p) for p in pictures), *pictures[0].shape[1:])) if pictures else torch.zeros(0)
    states, used = [], 0
    for condition in told:
        if condition.picture is None:
            states.append(network.encode_condition(condition))
            continue
        count = len(condition.picture)
        part = draw[used : used + count].to(condition.picture.device)
        states.append(network.encode_condition(condition, t, part))
        used += count
    return states
