"""Pictures and seeds to six views a seed: one function for both families, in one step or in many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.few_step import generator_of
from geco.multiview.guidance import without_picture
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.noise import SeededNoise
from geco.multiview.sampling import Trace, Walk, sample
from geco.multiview.steps import Sampler
from geco.sampling import OnStep, Sampling


@torch.no_grad()
def generate_views(
    network: MultiViewNetwork,
    codec: ViewCodec,
    pictures: Tensor,
    seeds: Sequence[int],
    sampling: Sampling,
    on_step: OnStep | None = None,
) -> Tensor:
    """Views (len(seeds), 6, 3, S, S) in [0, 1], float32, on the networks' device; all run as one batch.

    Args:
        network: in evaluation mode.
        pictures: (B, 3, H, W) in [0, 1] over ``codec.background``, framed as the model wants it.
        seeds: as many for each picture, those of the first picture first; what a seed gives depends neither
            on the others nor on the device (to rounding).
        on_step: called after every sampling step; never for a one-step generator.

    The picture's latent is the mean of the VAE's posterior, not a sample as in the public pipeline, so that
    the write pass of a clean reference is one for all seeds.

    Raises:
        ConfigError: the seeds cannot be shared out to the pictures.
    """
    each, rest = divmod(len(seeds), len(pictures))
    if rest or not each:
        raise ConfigError(
            f"{len(seeds)} seeds cannot be shared out to {len(pictures)} pictures", "Give one a picture."
        )
    condition = codec.condition(pictures)
    guidance = sampling.guidance_scale
    unconditional = without_picture(codec, condition, guidance)
    noise = SeededNoise(seeds)
    if sampling.kind == "one-step" or sampling.kind == "few-step":
        x0 = generator_of(network, sampling).generate(condition, noise, each, unconditional, on_step)
    else:
        sampler = Sampler(sampling.kind, eta=sampling.eta)
        walk = Walk(sampling.steps, sampler, guidance, sampling.clip, reference=sampling.reference)
        traced = None if on_step is None else partial(_told, on_step, sampling.steps)
        x0 = sample(network, condition, noise, walk, unconditional, each, traced)
    return codec.decode(x0).float()


def _told(on_step: OnStep, steps: int, trace: Trace) -> None:
    on_step(trace.index + 1, steps)
