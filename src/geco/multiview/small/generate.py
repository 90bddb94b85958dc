"""Six views from a batch of pictures with the small network, by the shared sampler: for training,
pairs and evaluation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.multiview.noise import SeededNoise
from geco.multiview.sampling import Sampler, sample
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView

# Chosen for the first embedded weights on 30 unseen objects (benchmarks.sampling_table), at most five
# passes: one step scores best (IoU 0.62) but is a blur, from four steps on views disagree (0.60); this is
# 0.61, with edges and full colours.
DEFAULT_STEPS = 2
DEFAULT_GUIDANCE = 1.5
DEFAULT_ETA = 1.0


@torch.no_grad()
def generate_views(
    network: SmallMultiView,
    condition: Tensor,
    steps: int = DEFAULT_STEPS,
    seed: int = 0,
    guidance: float = DEFAULT_GUIDANCE,
    eta: float = DEFAULT_ETA,
    truncation: float = 1.0,
) -> Tensor:
    """Sample one set of views for each picture.

    Args:
        network: in evaluation mode.
        condition: (B, 3, S, S) in [0, 1], over white, framed as ``network.config.foreground_ratio`` says.
        steps: passes, trailing spacing.
        seed: of the noise; what the i-th picture gets does not depend on the batch size.
        guidance: 1 = none (one pass a step); more doubles the passes.
        eta: 0 deterministic DDIM, 1 as noisy as DDPM.
        truncation: factor of the noise a sample starts from, 0 to 1; for one-step generators.

    Returns:
        (B, 6, 3, S, S) in [0, 1].
    """
    codec = PixelCodec(network.config.size)
    told = codec.condition(condition)
    noise = SeededNoise([seed * 1_000_003 + index for index in range(len(condition))])
    untold = codec.unconditional(told) if guidance != 1 else None
    x0 = sample(
        network,
        told,
        noise,
        steps=steps,
        sampler=Sampler("ddim", eta=eta),
        unconditional=untold,
        guidance_scale=guidance,
        clip=1.0,
        start=truncation * noise((len(condition), *network.sample_shape)),
    )
    return codec.decode(x0)
