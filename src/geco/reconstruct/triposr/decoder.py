"""Plane features to a density and a colour."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.triplane import Axes, sample_planes
from geco.reconstruct.triposr.config import Output, TripoSRConfig

# Planes (x, y), (x, z), (y, z), as (width, height); the third is not InstantMesh's (z, y).
PLANE_AXES: Axes = ((0, 1), (0, 2), (1, 2))


class Decoder(nn.Module):
    """(..., features) -> (..., 4): density and colour, before their activations."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        widths = [config.features] + [config.neurons] * config.hidden_layers
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers.append(nn.Linear(inputs, outputs, bias=config.decoder_bias))
            layers.append(nn.SiLU() if config.activation == "silu" else nn.ReLU())
        self.layers = nn.Sequential(*layers, nn.Linear(config.neurons, 4, bias=config.decoder_bias))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


def point_outputs(decoder: Decoder, planes: Tensor, points: Tensor, config: TripoSRConfig) -> Tensor:
    """The decoder at points, before the activations.

    Args:
        planes: (B, 3, C, H, W).
        points: (B, P, 3) in TripoSR's units; beyond the radius the planes are empty.

    Returns:
        (B, P, 4).
    """
    # Written as the public code has it: its rounding decides the last digits.
    within = (points + config.radius) / (2 * config.radius) * 2 - 1
    sampled = sample_planes(planes, within, PLANE_AXES)
    if config.feature_reduction == "mean":
        return decoder(sampled.mean(dim=1))
    return decoder(sampled.transpose(1, 2).flatten(2))


def activate(raw: Tensor, kind: Output) -> Tensor:
    """What the public code's ``get_activation`` gives for that name."""
    match kind:
        case "exp":
            return torch.exp(raw)
        case "softplus":
            return F.softplus(raw)
        case "sigmoid":
            return torch.sigmoid(raw)
        case "tanh":
            return torch.tanh(raw)
        case "relu":
            return F.relu(raw)
    return raw


def raw_level(level: float, kind: Output, bias: float) -> float:
    """The decoder's density output at which the activated density is ``level``, which is one that it reaches:
    activations rise.
    """
    match kind:
        case "exp":
            return math.log(level) - bias
        case "softplus":
            # softplus(x) = level, without overflow where the level is large
            return level + math.log(-math.expm1(-level)) - bias
        case "sigmoid":
            return math.log(level / (1 - level)) - bias
        case "tanh":
            return math.atanh(level) - bias
    return level - bias
