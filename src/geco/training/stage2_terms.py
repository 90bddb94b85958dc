"""What Stage II compares: the terms of InstantMesh's own mesh training by name, unweighted.

By its public code at commit 3ff94c9 (src/model_mesh.py, ``compute_loss``; the renderer's conventions are in
src/models/geometry/render/neural_render.py), but for the squared error of the pictures, which is taken in
[0, 1] here and in [-1, 1] there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from geco.training.halves import Distance
from geco.training.stage2_options import Stage2Options

OF_PICTURES = ("mse", "perceptual", "mask")
TERMS = (*OF_PICTURES, "normal", "depth", "sdf", "surface", "weights")


class Drawn(Protocol):
    """Renders of a mesh, as :class:`geco.render.shade_torch.Rendered`."""

    rgb: Tensor
    mask: Tensor
    depth: Tensor
    normal: Tensor


def picture_terms(drawn: Drawn, truth: Mapping[str, Tensor], distance: Distance) -> dict[str, Tensor]:
    """Of renders against the truth.

    Args:
        drawn: rgb (N, R, R, 3) and mask (N, R, R) in [0, 1], normal (N, R, R, 3) unit vectors and depth (N,
            R, R), 0 where nothing is seen.
        truth: the same; without normal and depth their terms are left out.
    """
    near = distance(drawn.rgb.permute(0, 3, 1, 2), truth["rgb"].permute(0, 3, 1, 2))
    found = {
        "mse": (drawn.rgb - truth["rgb"]).square().mean(),
        "perceptual": near.mean(),
        "mask": (drawn.mask - truth["mask"]).square().mean(),
    }
    there = truth["mask"] > 0
    if "normal" in truth:
        cosine = (_on_black(drawn.normal) * _on_black(truth["normal"])).sum(-1)
        found["normal"] = 1 - _mean(cosine.abs()[there])
    if "depth" in truth:
        found["depth"] = _mean((drawn.depth - truth["depth"]).abs()[there])
    return found


def weighed(terms: Mapping[str, Tensor], options: Stage2Options) -> Tensor:
    """The sum that is learnt from; what has the weight 0 is only looked at."""
    weights = {name: getattr(options, name) for name in TERMS if name in terms}
    kept = [weight * terms[name] for name, weight in weights.items() if weight]
    return torch.stack(kept).sum() if kept else terms["mse"] * 0.0


def _on_black(normal: Tensor) -> Tensor:
    """Normals as pictures have them, black where nothing is, which is read as the vector (-1, -1, -1)."""
    return torch.where((normal == 0).all(-1, keepdim=True), -1.0, normal)


def _mean(values: Tensor) -> Tensor:
    """0 of nothing."""
    return values.mean() if values.numel() else values.sum()
