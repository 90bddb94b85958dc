"""A small convolutional autoencoder of pictures. Its encoder's levels are the features that pictures are
compared by.

No normalisation over the picture: a change in one place leaves the features of far places as they are. It is
no codec for a generator: the small model works in pixels, the full one in its own VAE's latents.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.metrics.features.config import AutoencoderConfig


class Autoencoder(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] on white -> the same, through a bottleneck.

    White is 0 inside, so that the convolutions' zero padding goes on as the background does.
    """

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or AutoencoderConfig()
        widths, blocks = self.config.widths, self.config.blocks
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths)]
        )
        self.encoder = nn.ModuleList([_blocks(width, blocks) for width in widths])
        self.squeeze = nn.Conv2d(widths[-1], self.config.latent, 1)
        self.lift = nn.Conv2d(self.config.latent, widths[-1], 1)
        self.decoder = nn.ModuleList([_blocks(width, blocks) for width in reversed(widths)])
        self.up = nn.ModuleList(
            [nn.Conv2d(b, a, 3, padding=1) for a, b in reversed(list(itertools.pairwise(widths)))]
        )
        self.head = nn.Conv2d(widths[0], 3, 3, padding=1)
        # a short way for colours, which are otherwise learned last
        self.tint = nn.Conv2d(self.config.latent, 3, 1)
        for layer in (self.stem, *self.down, self.squeeze, self.lift, *self.up):
            # keeps the signal's size
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
        for last in (self.head, self.tint):
            nn.init.zeros_(last.weight)  # starts from white, as most pixels are
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(N, C, H, W), (N, C', H/2, W/2), ... of pictures (N, 3, H, W) in [0, 1]; odd sides are
        rounded up.
        """
        x = self.encoder[0](self.stem(pictures * 2 - 2))
        levels = [x]
        for down, blocks in zip(self.down, self.encoder[1:]):
            x = blocks(down(functional.silu(x)))
            levels.append(x)
        return levels

    def encode(self, pictures: Tensor) -> Tensor:
        """(N, latent, H / factor, W / factor)."""
        latent: Tensor = self.squeeze(functional.silu(self.features(pictures)[-1]))
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """(N, latent, h, w) -> pictures (N, 3, h * factor, w * factor), about [0, 1], not clipped."""
        x = self.decoder[0](self.lift(latent))
        for up, blocks in zip(self.up, self.decoder[1:]):
            x = blocks(up(functional.interpolate(functional.silu(x), scale_factor=2.0, mode="nearest")))
        tint = functional.interpolate(
            self.tint(latent), scale_factor=float(self.config.factor), mode="bilinear"
        )
        picture: Tensor = (self.head(functional.silu(x)) + tint) / 2 + 1
        return picture

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W); sides are multiples of ``config.factor``."""
        return self.decode(self.encode(pictures))


class ResidualBlock(nn.Module):
    """x + two 3 x 3 convolutions of it, (N, C, h, w) -> (N, C, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        # begins as the identity, which keeps a network without normalisation steady
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.as_tensor(self.second(functional.silu(self.first(functional.silu(x)))))


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(width) for _ in range(count)])
