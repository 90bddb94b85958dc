"""How different two pictures look to the autoencoder: as LPIPS compares (Zhang et al. 2018, equation 1), by
other features.

distance(a, b) = sum over the encoder's levels of the spatial mean of |unit(fa) - unit(fb)|^2, where f are the
level's features and unit scales them to length 1 over the channels at every pixel. Every level and channel
counts
alike: there are no heads fitted to people's judgements, and it is not called LPIPS.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geco.metrics.features.network import Autoencoder

NAME = "autoencoder features"
# Under the root; features are about 1. LPIPS' 1e-10 would make a full difference of whatever is left where
# nothing is seen.
TINY = 1e-4


class FeatureDistance(nn.Module):
    """The distance of one trained network. Differentiable in the pictures; the network's weights are frozen.

    Args:
        network: taken over: frozen, and put into evaluation mode.
    """

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances of pairs of pictures.

        Args:
            a, b: (N, 3, H, W) in [0, 1] on white, at least ``config.factor`` pixels a side. Computed in the
                weights' format.

        Returns:
            (N,) from 0 (equal pictures) to 4 a level; symmetric. Where the paper adds lambda * LPIPS this is
            another measure, so lambda is to be chosen anew.
        """
        return feature_distance(self.network, a, b)


def feature_distance(network: Autoencoder, a: Tensor, b: Tensor) -> Tensor:
    """See :class:`FeatureDistance`; the weights are as they are.

    Raises:
        ValueError: the shapes differ, or a side is too short.
    """
    smallest = network.config.factor
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[-2:]) < smallest:
        need = f"equal shapes (N, 3, H, W) of at least {smallest} px"
        raise ValueError(f"autoencoder features compare {need}, not {tuple(a.shape)} and {tuple(b.shape)}")
    dtype = network.stem.weight.dtype
    total = torch.zeros(len(a), dtype=dtype, device=a.device)
    for first, second in zip(network.features(a.to(dtype)), network.features(b.to(dtype))):
        total = total + (unit(first) - unit(second)).square().sum(1).mean((-2, -1))
    return total


def unit(features: Tensor) -> Tensor:
    """(N, C, h, w) with every pixel's channels scaled to length 1, or less where they are next to nothing."""
    return features / (features.square().sum(1, keepdim=True) + TINY).sqrt()
