"""Augmentations that keep cameras true: colours of the whole object, and light, framing and
sharpness of the condition picture.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from geco.checked import Checked, real, reals, share
from geco.errors import ConfigError
from geco.training.photo_faults import jpeg, miscut, shade

_PERMUTATIONS = torch.tensor(list(itertools.permutations(range(3))))


@dataclass(frozen=True)
class Jitter(Checked):
    """How far colours and pictures are changed; a stage's options hold one (``--set jitter.gain=0.1``).

    All of it is the prototype's: our own choice, not tuned.

    Attributes:
        permuted: part of the objects whose colour channels may change places (one draw in six leaves them).
        recolored: part of the objects that get gains and a gamma.
        gain: largest change of a channel, relative. gamma: largest logarithm of the exponent, either way.
        exposure, contrast: largest change of the condition picture, relative. balance: of each channel.
        zoom: range of what the frame spans, in picture sides: above 1 the object shrinks.
        shift: largest displacement, in half sides.
        moved: part of the condition pictures that are zoomed and shifted: resampling blurs by itself, and
            sharp ones must be seen as well.
        soft: part that is blurred further, by up to a box of 3 pixels.
        shaded, miscut, lossy: parts of the condition pictures with a shadow, with an outline that is cut out
            wrongly, and with JPEG's loss (geco.training.photo_faults).
    """

    permuted: float = share(0.5)
    recolored: float = share(0.5)
    gain: float = share(0.25)
    gamma: float = real(0.35, 0.0, 3.0)
    exposure: float = share(0.15)
    contrast: float = share(0.15)
    balance: float = share(0.05)
    zoom: tuple[float, float] = reals((0.93, 1.08), 0.5, 2.0, 2, 2)
    shift: float = share(0.04)
    moved: float = share(0.5)
    soft: float = share(0.25)
    shaded: float = share(0.0)
    miscut: float = share(0.0)
    lossy: float = share(0.0)

    def check(self) -> None:
        """The range of the zoom is one."""
        if self.zoom[0] > self.zoom[1]:
            raise ConfigError(f"zoom {self.zoom} is no range", "The smaller number comes first.")


USUAL = Jitter()


def recolor(
    condition: Tensor, targets: Tensor, rng: torch.Generator, jitter: Jitter = USUAL
) -> tuple[Tensor, Tensor]:
    """The same change of the object's colours in all its pictures: channels permuted, gains and a gamma.

    Args:
        condition: (B, 4, S, S) in [0, 1], straight alpha, where ``rng`` is.
        targets: (B, 6, 4, S, S) likewise.
    """
    batch = len(condition)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng, device=rng.device)

    order = permutations(batch, rng, jitter.permuted)
    active = uniform(batch, 1) < jitter.recolored
    gain = torch.where(active, 1 + jitter.gain * (2 * uniform(batch, 3) - 1), 1.0)
    gamma = torch.where(active, torch.exp(jitter.gamma * (2 * uniform(batch, 1) - 1)), 1.0)

    def apply(pictures: Tensor) -> Tensor:  # (B, V, 4, S, S)
        rgb = permute_channels(pictures[:, :, :3], order)
        rgb = (rgb.clamp(min=1e-4) ** gamma[..., None, None, None] * gain[:, None, :, None, None]).clamp(0, 1)
        return torch.cat([rgb, pictures[:, :, 3:]], dim=2)

    return apply(condition[:, None])[:, 0], apply(targets)


def permutations(count: int, rng: torch.Generator, part: float = USUAL.permuted) -> Tensor:
    """(count, 3) orders of the colour channels: any order for a ``part`` of them, else the old one."""
    choice = torch.randint(len(_PERMUTATIONS), (count,), generator=rng, device=rng.device)
    changed = torch.rand(count, generator=rng, device=rng.device) < part
    return _PERMUTATIONS.to(choice.device)[torch.where(changed, choice, 0)]


def permute_channels(pictures: Tensor, order: Tensor) -> Tensor:
    """Pictures (B, V, 3, S, S) with the channels of each sample in its ``order`` (B, 3)."""
    return pictures.gather(2, order[:, None, :, None, None].expand_as(pictures))


def photograph(condition: Tensor, rng: torch.Generator, jitter: Jitter = USUAL) -> Tensor:
    """Condition pictures (B, 4, S, S) as a user might bring them: exposure, contrast, a little
    zoom, shift and blur.
    """
    batch = len(condition)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(batch, *shape, generator=rng, device=rng.device)

    def about_one(most: float, channels: int = 1) -> Tensor:
        return uniform(1 - most, 1 + most, channels, 1, 1)

    rgb, alpha = condition[:, :3], condition[:, 3:]
    exposure, contrast = about_one(jitter.exposure), about_one(jitter.contrast)
    rgb = ((rgb - 0.5) * contrast + 0.5) * exposure * about_one(jitter.balance, 3)

    def part(share: float) -> Tensor:
        return uniform(0.0, 1.0, 1, 1, 1) < share

    if jitter.shaded:  # what has no part draws no numbers: runs from before repeat
        rgb = torch.where(part(jitter.shaded), shade(rgb, uniform), rgb)
    if jitter.miscut:
        chosen = part(jitter.miscut)
        worse = miscut(rgb, alpha, uniform, rng)
        rgb, alpha = torch.where(chosen, worse[0], rgb), torch.where(chosen, worse[1], alpha)
    premultiplied = torch.cat([rgb.clamp(0, 1) * alpha, alpha], dim=1)
    zoom, shift = uniform(*jitter.zoom, 1), uniform(-jitter.shift, jitter.shift, 2)
    theta = torch.zeros(batch, 2, 3, device=rng.device)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom[:, 0]
    theta[:, :, 2] = shift
    moved = functional.grid_sample(
        premultiplied, functional.affine_grid(theta, list(condition.shape), False), align_corners=False
    )
    mixed = torch.where(uniform(0.0, 1.0, 1, 1, 1) < jitter.moved, moved, premultiplied)
    soft = functional.avg_pool2d(functional.pad(mixed, (1, 1, 1, 1)), 3, 1)
    amount = torch.where(uniform(0.0, 1.0, 1, 1, 1) < jitter.soft, uniform(0.0, 1.0, 1, 1, 1), 0.0)
    mixed = mixed.lerp(soft, amount)
    if jitter.lossy:
        white = jpeg(mixed[:, :3] + 1 - mixed[:, 3:], uniform)  # alpha is not in a JPEG: on white
        damaged = torch.cat([white - 1 + mixed[:, 3:], mixed[:, 3:]], dim=1)
        mixed = torch.where(part(jitter.lossy), damaged, mixed)
    return torch.cat([mixed[:, :3] / mixed[:, 3:].clamp(min=1e-3), mixed[:, 3:]], dim=1)


def composite(pictures: Tensor) -> Tensor:
    """(..., 4, S, S) straight alpha in [0, 1] -> (..., 3, S, S) over white."""
    alpha = pictures[..., 3:, :, :]
    return pictures[..., :3, :, :] * alpha + (1 - alpha)
