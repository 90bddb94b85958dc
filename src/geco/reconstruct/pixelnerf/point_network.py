"""Features and positions to a density and a colour."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from geco.reconstruct.pixelnerf.config import PixelNeRFConfig


def encoded(positions: Tensor, frequencies: int, frequency: float) -> Tensor:
    """(..., 3) -> (..., 3 + 6 * frequencies): the position, then sine and cosine at doubling frequencies."""
    steps = frequency * 2.0 ** torch.arange(frequencies, device=positions.device)
    angles = (positions[..., None, :] * steps[:, None]).flatten(-2)
    return torch.cat([positions, angles.sin(), (angles + math.pi / 2).sin()], dim=-1)


class _Block(nn.Module):
    """x + W relu(W relu(x)), the last product starting at zero, as the published code's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.relu(self.first(torch.relu(x))))


class PointNetwork(nn.Module):
    """The paper's residual network: the first blocks look at each view for itself and take its features in,
    the others at the mean over the views.

    The view direction joins in for the colour alone, as in NeRF; in the published code the density hears of
    it too, and so has another surface from every side.
    """

    def __init__(self, config: PixelNeRFConfig) -> None:
        super().__init__()
        width = config.hidden
        self.enter = nn.Linear(config.code, width)
        reads = config.features + 3
        self.reads = nn.ModuleList(nn.Linear(reads, width) for _ in range(config.read_blocks))
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.blocks))
        self.density = nn.Linear(width, 1)
        self.turned = nn.Linear(3, width)
        self.shade = nn.Linear(width, width // 2)
        self.color = nn.Linear(width // 2, 3)

    def trunk(self, features: Tensor, code: Tensor) -> Tensor:
        """(B, V, P, F + 3) and (B, V, P, C) -> (B, P, W)."""
        x = self.enter(code)
        for index, block in enumerate(self.blocks):
            if index < len(self.reads):
                x = x + self.reads[index](features)
            if index == len(self.reads):
                x = x.mean(dim=1)
            x = block(x)
        return x.mean(dim=1) if len(self.reads) == len(self.blocks) else x

    def raw_density(self, trunk: Tensor) -> Tensor:
        """(B, P, W) -> (B, P, 1), before softplus(x - 1)."""
        return self.density(torch.relu(trunk))

    def colors(self, trunk: Tensor, directions: Tensor) -> Tensor:
        """(B, P, W) and unit directions in each camera's axes (B, V, P, 3) -> (B, P, 3) in [0, 1]."""
        seen = torch.relu(self.turned(directions)).mean(dim=1)
        return torch.sigmoid(self.color(torch.relu(self.shade(torch.relu(trunk + seen)))))
