"""Pictures to feature maps: one convolutional network shared by all views."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geco.reconstruct.small.config import SmallReconstructorConfig


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(norm(x))))), the last convolution starting at zero; 2-D or 3-D."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.norm = nn.GroupNorm(min(8, channels), channels)
        self.first = conv(channels, channels, 3, padding=1)
        self.last = conv(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.relu(self.first(torch.relu(self.norm(x)))))


class ViewEncoder(nn.Module):
    """A UNet from RGB to two maps: half-size features for the volume, full-size ones (RGB first) for points.

    Every view has a learnt bias at the first level, since its elevation and whether it is the clean picture
    matter.
    """

    def __init__(self, config: SmallReconstructorConfig) -> None:
        super().__init__()
        w0, w1, w2 = config.widths
        d0, d1, d2 = config.depths
        self.stem = nn.Conv2d(3, w0, 4, stride=2, padding=1)
        self.view_bias = nn.Parameter(torch.zeros(config.views + 1, w0, 1, 1))
        self.level0 = nn.Sequential(*(ResidualBlock(w0, 2) for _ in range(d0)))
        self.down1 = nn.Conv2d(w0, w1, 2, stride=2)
        self.level1 = nn.Sequential(*(ResidualBlock(w1, 2) for _ in range(d1)))
        self.down2 = nn.Conv2d(w1, w2, 2, stride=2)
        self.level2 = nn.Sequential(*(ResidualBlock(w2, 2) for _ in range(d2)))
        self.up1 = nn.ConvTranspose2d(w2, w1, 2, stride=2)
        self.out1 = nn.Sequential(*(ResidualBlock(w1, 2) for _ in range(d1)))
        self.up0 = nn.ConvTranspose2d(w1, w0, 2, stride=2)
        self.out0 = nn.Sequential(*(ResidualBlock(w0, 2) for _ in range(d0)))
        self.lift = nn.Conv2d(w0, config.lift_channels, 1)
        learnt = config.map_channels - 3
        self.up = nn.ConvTranspose2d(w0, learnt, 2, stride=2)
        self.fine = nn.Conv2d(3, learnt, 3, padding=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """pictures (B, V + 1, 3, S, S) in [0, 1], the clean one last -> lift (B, V + 1, L, S/2,
        S/2), maps (B, V, M, S, S).
        """
        batch, views = pictures.shape[:2]
        x = pictures.flatten(0, 1)
        h0 = self.stem(x * 2 - 1)
        h0 = (h0.unflatten(0, (batch, views)) + self.view_bias).flatten(0, 1)
        h0 = self.level0(h0)
        h1 = self.level1(self.down1(h0))
        h2 = self.level2(self.down2(h1))
        h1 = self.out1(h1 + self.up1(h2))
        h0 = torch.relu(self.out0(h0 + self.up0(h1)))
        lift = self.lift(h0).unflatten(0, (batch, views))
        seen = h0.unflatten(0, (batch, views))[:, :-1].flatten(0, 1)
        rgb = pictures[:, :-1].flatten(0, 1)
        fine = self.up(seen) + self.fine(rgb * 2 - 1)
        maps = torch.cat([rgb, fine], dim=1).unflatten(0, (batch, views - 1))
        return lift, maps
