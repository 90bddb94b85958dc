"""A picture to maps of features."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.small.encoder import ResidualBlock


class Encoder(nn.Module):
    """A pyramid of convolutions. Every level is brought to ``features`` channels and half the picture's size,
    and they are added: a linear map of the paper's concatenation of upsampled levels. The picture comes along
    as it is, so that colours need no weights.

    ``elevation`` reads the camera's height off the smallest level, for a picture of which nobody knows it.
    """

    def __init__(self, config: PixelNeRFConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stem = nn.Conv2d(3, widths[0], 4, stride=2, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, 2) for _ in range(depth)))
            for width, depth in zip(widths, config.depths)
        )
        self.leaves = nn.ModuleList(nn.Conv2d(width, config.features, 1) for width in widths)
        self.elevation = nn.Linear(widths[-1], 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) in [0, 1] -> features (N, F, S / 2, S / 2) and elevations (N,) in radians."""
        x = self.levels[0](self.stem(pictures * 2 - 1))
        features = self.leaves[0](x)
        for down, level, leave in zip(self.downs, list(self.levels)[1:], list(self.leaves)[1:]):
            x = level(down(x))
            features = features + F.interpolate(
                leave(x), features.shape[-2:], mode="bilinear", align_corners=False
            )
        return torch.relu(features), self.elevation(torch.relu(x).mean(dim=(2, 3)))[:, 0]
