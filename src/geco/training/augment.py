"""Augmentations that keep cameras true: colours of the whole object, and light, framing and
sharpness of the condition picture.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional

_PERMUTATIONS = torch.tensor(list(itertools.permutations(range(3))))


def recolor(condition: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same change of the object's colours in all its pictures: channels permuted (half of the time),
    gains and a gamma.

    Args:
        condition: (B, 4, S, S) in [0, 1], straight alpha, where ``generator`` is.
        targets: (B, 6, 4, S, S) likewise.
    """
    batch = len(condition)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=generator.device)

    order = permutations(batch, generator)
    active = uniform(batch, 1) < 0.5
    gain = torch.where(active, 1 + 0.25 * (2 * uniform(batch, 3) - 1), 1.0)
    gamma = torch.where(active, torch.exp(0.35 * (2 * uniform(batch, 1) - 1)), 1.0)

    def apply(pictures: Tensor) -> Tensor:  # (B, V, 4, S, S)
        rgb = permute_channels(pictures[:, :, :3], order)
        rgb = (rgb.clamp(min=1e-4) ** gamma[..., None, None, None] * gain[:, None, :, None, None]).clamp(0, 1)
        return torch.cat([rgb, pictures[:, :, 3:]], dim=2)

    return apply(condition[:, None])[:, 0], apply(targets)


def permutations(count: int, generator: torch.Generator) -> Tensor:
    """(count, 3) orders of the colour channels: any order for half of them, the old one for the rest."""
    choice = torch.randint(len(_PERMUTATIONS), (count,), generator=generator, device=generator.device)
    changed = torch.rand(count, generator=generator, device=generator.device) < 0.5
    return _PERMUTATIONS.to(choice.device)[torch.where(changed, choice, 0)]


def permute_channels(pictures: Tensor, order: Tensor) -> Tensor:
    """Pictures (B, V, 3, S, S) with the channels of each sample in its ``order`` (B, 3)."""
    return pictures.gather(2, order[:, None, :, None, None].expand_as(pictures))


def photograph(condition: Tensor, generator: torch.Generator) -> Tensor:
    """Condition pictures (B, 4, S, S) as a user might bring them: exposure, contrast, a little
    zoom, shift and blur.
    """
    batch = len(condition)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(batch, *shape, generator=generator, device=generator.device)

    rgb, alpha = condition[:, :3], condition[:, 3:]
    exposure, contrast = uniform(0.85, 1.15, 1, 1, 1), uniform(0.85, 1.15, 1, 1, 1)
    rgb = ((rgb - 0.5) * contrast + 0.5) * exposure * uniform(0.95, 1.05, 3, 1, 1)
    premultiplied = torch.cat([rgb.clamp(0, 1) * alpha, alpha], dim=1)
    zoom, shift = uniform(0.93, 1.08, 1), uniform(-0.04, 0.04, 2)
    theta = torch.zeros(batch, 2, 3, device=generator.device)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom[:, 0]
    theta[:, :, 2] = shift
    moved = functional.grid_sample(
        premultiplied, functional.affine_grid(theta, list(condition.shape), False), align_corners=False
    )
    # grid_sample blurs by itself; keep the untouched picture half of the time so that sharp ones are seen as
    # well
    mixed = torch.where(uniform(0.0, 1.0, 1, 1, 1) < 0.5, moved, premultiplied)
    soft = functional.avg_pool2d(functional.pad(mixed, (1, 1, 1, 1)), 3, 1)
    amount = torch.where(uniform(0.0, 1.0, 1, 1, 1) < 0.25, uniform(0.0, 1.0, 1, 1, 1), 0.0)
    mixed = mixed.lerp(soft, amount)
    return torch.cat([mixed[:, :3] / mixed[:, 3:].clamp(min=1e-3), mixed[:, 3:]], dim=1)


def composite(pictures: Tensor) -> Tensor:
    """(..., 4, S, S) straight alpha in [0, 1] -> (..., 3, S, S) over white."""
    alpha = pictures[..., 3:, :, :]
    return pictures[..., :3, :, :] * alpha + (1 - alpha)
