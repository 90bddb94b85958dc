"""Small MLPs on triplane features: the NeRF's and the mesh's, attribute names of InstantMesh's
checkpoints.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 64
# Widened sigmoid (mip-NeRF's): colours reach 0 and 1 without an infinite logit.
COLOR_MARGIN = 0.001
# Outputs of net_weight per cube: beta 12 edges, alpha 8 corners, gamma 1.
CUBE_WEIGHTS = (12, 8, 1)


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Four linear layers with ReLU between, 64 wide."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, outputs),
    )


def activate_color(raw: Tensor) -> Tensor:
    """Raw decoder output to colours in (-0.001, 1.001)."""
    return torch.sigmoid(raw) * (1 + 2 * COLOR_MARGIN) - COLOR_MARGIN


def _run(net: nn.Sequential, features: Tensor) -> Tensor:
    """Through ``net`` in its own precision, result in the features' (float32 fields whatever the
    weights are).
    """
    return net(features.to(next(net.parameters()).dtype)).to(features.dtype)


def activate_density(raw: Tensor) -> Tensor:
    """Raw decoder output to density, softplus(raw - 1)."""
    return F.softplus(raw - 1)


def raw_density(density: float) -> float:
    """The raw decoder output whose density it is: the inverse of :func:`activate_density`."""
    return density + math.log(-math.expm1(-density)) + 1


class NeRFDecoder(nn.Module):
    """Features (B, P, 3*C) -> colours (B, P, 3) in (-0.001, 1.001) and raw densities (B, P, 1)."""

    def __init__(self, plane_dim: int) -> None:
        super().__init__()
        self.net = mlp(3 * plane_dim, 4)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        raw = _run(self.net, features)
        return activate_color(raw[..., 1:4]), raw[..., :1]


class MeshDecoder(nn.Module):
    """SDF (negative inside), raw deformation, FlexiCubes weights and colour, each from its own MLP."""

    def __init__(self, plane_dim: int) -> None:
        super().__init__()
        self.net_sdf = mlp(3 * plane_dim, 1)
        self.net_rgb = mlp(3 * plane_dim, 3)
        self.net_deformation = mlp(3 * plane_dim, 3)
        self.net_weight = mlp(8 * 3 * plane_dim, sum(CUBE_WEIGHTS))

    def sdf(self, features: Tensor) -> Tensor:
        """(B, P, 3*C) -> (B, P, 1)."""
        return _run(self.net_sdf, features)

    def deformation(self, features: Tensor) -> Tensor:
        """(B, P, 3*C) -> (B, P, 3) before tanh."""
        return _run(self.net_deformation, features)

    def weights(self, corners: Tensor) -> Tensor:
        """Features of the 8 corners of cubes (B, K, 8, 3*C), in cube-corner order -> (B, K, 21)
        raw beta, alpha, gamma.
        """
        return _run(self.net_weight, corners.flatten(2)) * 0.1

    def color(self, features: Tensor) -> Tensor:
        """(B, P, 3*C) -> (B, P, 3) in (-0.001, 1.001)."""
        return activate_color(_run(self.net_rgb, features))


# InstantMesh's mesh_threshold: the density of a NeRF's surface.
NERF_LEVEL = 10.0
