"""A picture and seeds to six views a seed: one function for both families, in one step or in many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from geco.checked import Checked, choice, real, whole
from geco.errors import ConfigError
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.noise import SeededNoise
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Sampler, SamplerName, Trace, sample
from geco.multiview.schedule_settings import TIMESTEPS

Kind = Literal["one-step", "euler-ancestral", "ddim"]


@dataclass(frozen=True)
class GenerationSettings(Checked):
    """How a model's views are made; stored with the model.

    Attributes:
        kind: "one-step" for a GECO generator, else the sampler of a teacher.
        steps: of a sampler. GECO's teacher takes 75, Zero123++'s page suggests 28 to 75 and more for fine
            detail.
        guidance_scale: 4 is Zero123++'s; 1 (off) for a generator that has it baked in.
        clip: bound on the predicted |x0| while sampling; None for latents.
        eta: of DDIM; 0 is deterministic.
        timestep: where a one-step generator's noise stands; None for the last.
        truncation: factor of a one-step generator's noise; 1 in the paper.
    """

    kind: Kind = choice("one-step", get_args(Kind))
    steps: int = whole(75, 1, TIMESTEPS)
    guidance_scale: float = real(1.0, 0.0, 100.0)
    clip: float | None = real(None, 0.0, 1000.0)
    eta: float = real(0.0, 0.0, 1.0)
    timestep: int | None = whole(None, 0, TIMESTEPS - 1)
    truncation: float = real(1.0, 0.0, 1.0)

    def sampler(self) -> Sampler:
        """The sampler of a teacher; ConfigError for a one-step generator."""
        if self.kind == "one-step":
            raise ConfigError("a one-step generator has no sampler", "Use OneStepGenerator.")
        name: SamplerName = self.kind
        return Sampler(name, eta=self.eta)


@torch.no_grad()
def generate_views(
    network: MultiViewNetwork,
    codec: ViewCodec,
    picture: Tensor,
    seeds: Sequence[int],
    settings: GenerationSettings,
    on_step: Callable[[Trace], None] | None = None,
) -> Tensor:
    """Views (len(seeds), 6, 3, S, S) in [0, 1], float32, on the networks' device; all seeds run as one batch.

    Args:
        picture: (3, H, W) in [0, 1] over ``codec.background``.
        seeds: what a seed gives depends neither on the others nor on the device (to rounding).
        on_step: called after every sampling step; never for one step.

    The picture's latent is the mean of the VAE's posterior, not a sample as in the public pipeline, so that
    the write pass of a clean reference is one for all seeds.
    """
    condition = codec.condition(picture[None])
    guided = settings.guidance_scale != 1.0
    unconditional = codec.unconditional(condition) if guided else None
    noise = SeededNoise(seeds)
    if settings.kind == "one-step":
        generator = OneStepGenerator(network, settings.timestep, settings.guidance_scale, settings.truncation)
        x0 = generator.generate(condition, noise, len(seeds), unconditional)
    else:
        x0 = sample(
            network,
            condition,
            noise,
            steps=settings.steps,
            sampler=settings.sampler(),
            unconditional=unconditional,
            guidance_scale=settings.guidance_scale,
            per_picture=len(seeds),
            clip=settings.clip,
            on_step=on_step,
        )
    return codec.decode(x0).float()
