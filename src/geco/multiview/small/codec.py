"""Between pictures and the small network's pixels: a change of range and nothing else."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from geco.multiview.interface import Condition, NoiseSource


class PixelCodec:
    """A :class:`geco.multiview.interface.ViewCodec` over pixels in [-1, 1].

    Args:
        size: side of pictures and views in pixels.
    """

    background = 1.0  # white, of the condition picture and of the views
    on_host = False

    def __init__(self, size: int) -> None:
        self.size = size

    def condition(self, picture: Tensor, noise: NoiseSource | None = None) -> Condition:
        """picture (B, 3, H, W) in [0, 1] over white, framed as the network's foreground_ratio
        says; resized if need be.
        """
        if picture.shape[-2:] != (self.size, self.size):
            picture = functional.interpolate(picture, (self.size, self.size), mode="bilinear", antialias=True)
        return Condition(picture * 2 - 1)

    def unconditional(self, condition: Condition, noise: NoiseSource | None = None) -> Condition:
        """The dropped condition that training showed."""
        assert condition.picture is not None
        batch, device = len(condition.picture), condition.picture.device
        return replace(condition, keep=torch.zeros(batch, dtype=torch.bool, device=device))

    def encode(self, views: Tensor, noise: NoiseSource | None = None) -> Tensor:
        """views (B, 6, 3, S, S) in [0, 1] -> x0 in [-1, 1]."""
        return views * 2 - 1

    def decode(self, x0: Tensor) -> Tensor:
        """x0 (B, 6, 3, S, S) -> views in [0, 1]."""
        return (x0.clamp(-1, 1) + 1) / 2
