"""Losses on pictures that need no trained weights. Torch; pictures are (N, 3, H, W) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from geco.metrics.perceptual import WEIGHTS, pyramid_terms

PYRAMID = "pyramid"  # its name in cards and behind --perceptual


def perceptual_loss(a: Tensor, b: Tensor) -> Tensor:
    """The pyramid distance (:mod:`geco.metrics.perceptual`) of pairs of pictures, differentiable in both.

    Where the paper adds lambda * LPIPS to the squared error (InstantMesh: lambda = 2), this can stand in on a
    machine without VGG16's weights; it is another measure, so lambda is to be chosen anew.

    Args:
        a, b: (N, 3, H, W) in [0, 1], at least 8 pixels a side. Computed in float32 whatever they are.

    Returns:
        (N,) in [0, 1].
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(
            f"pictures of shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be compared: both must be "
            f"(N, 3, H, W)"
        )
    dtype = torch.promote_types(a.dtype, torch.float32)
    texture, structure, color = pyramid_terms(a.to(dtype), b.to(dtype))
    return WEIGHTS[0] * texture + WEIGHTS[1] * structure + WEIGHTS[2] * color
