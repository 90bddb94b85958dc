"""Six views from a picture with a few network passes: DDIM on chosen timesteps, guidance, optional fresh noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView

DEFAULT_STEPS = 4
DEFAULT_GUIDANCE = 1.0
DEFAULT_ETA = 1.0


def trailing_timesteps(steps: int, count: int = 1000) -> list[int]:
    """``steps`` timesteps from the last one down, evenly spaced (diffusers' "trailing"): 4 -> 999, 749, 499, 249."""
    return [round(count - index * count / steps) - 1 for index in range(steps)]


@torch.no_grad()
def generate_views(
    network: SmallMultiView,
    condition: Tensor,
    steps: int | Sequence[int] = DEFAULT_STEPS,
    seed: int = 0,
    guidance: float = DEFAULT_GUIDANCE,
    eta: float = DEFAULT_ETA,
) -> Tensor:
    """Sample.

    Args:
        network: in evaluation mode.
        condition: (B, 3, S, S) in [0, 1], over white, framed as ``network.config.foreground_ratio`` says.
        steps: how many, trailing spacing; or the timesteps themselves, falling.
        seed: of the noise; sample i of a batch draws the same noise whatever the batch size.
        guidance: 1 = none (one pass a step); more doubles the passes.
        eta: 0 deterministic DDIM, 1 as noisy as DDPM.

    Returns:
        (B, 6, 3, S, S) in [0, 1].
    """
    timesteps = trailing_timesteps(steps) if isinstance(steps, int) else list(steps)
    picture = condition * 2 - 1
    batch = picture.shape[0]
    generators = [torch.Generator().manual_seed(seed * 1_000_003 + index) for index in range(batch)]

    def noise() -> Tensor:
        return torch.stack([torch.randn(network.sample_shape, generator=generator) for generator in generators]).to(picture.device)

    state = network.encode_condition(Condition(picture))
    if guidance != 1:
        state = state.join(network.encode_condition(Condition(picture, keep=torch.zeros(batch, dtype=torch.bool))))
    alphas = network.schedule.alphas_cumprod
    x = noise()
    x0 = x
    for index, timestep in enumerate(timesteps):
        t = torch.full((batch,), timestep, device=picture.device)
        if guidance == 1:
            x0 = network.predict(x, t, state, "x0").float()
        else:
            told, untold = network.predict(torch.cat([x, x]), torch.cat([t, t]), state, "x0").float().chunk(2)
            x0 = untold + guidance * (told - untold)
        x0 = x0.clamp(-1, 1)
        if index + 1 == len(timesteps):
            break
        now, then = float(alphas[timestep]), float(alphas[timesteps[index + 1]])
        eps = (x - now**0.5 * x0) / (1 - now) ** 0.5
        # DDIM (arXiv 2010.02502), equation 16
        fresh = eta * ((1 - then) / (1 - now)) ** 0.5 * (1 - now / then) ** 0.5
        x = then**0.5 * x0 + max(1 - then - fresh**2, 0.0) ** 0.5 * eps
        if fresh > 0:
            x = x + fresh * noise()
    return (x0 + 1) / 2
