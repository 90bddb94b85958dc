"""What photos have and renders lack, put onto condition pictures: shadows, cut-out errors, JPEG.

All of it is by share (:class:`geco.training.augment.Jitter`), and none by default.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from geco.training.state import standard_normal

BLOCK = 8  # pixels of a side of JPEG's blocks
# JPEG's luminance table (ITU-T T.81, table K.1)
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
QUALITY = (30.0, 90.0)  # of the JPEGs
DARKEST = 0.55  # of a shadow, of the light that it takes
EDGE = (0.05, 0.5)  # of a shadow's penumbra, half sides
EATEN = 0.35  # standard deviation of where a cut-out's edge lies, in parts of its blurred alpha
CUT_BLUR = 5  # pixels of the box in which a cut-out's edge may lie

Uniform = Callable[..., Tensor]


def shade(rgb: Tensor, uniform: Uniform) -> Tensor:
    """Pictures (B, 3, S, S), each with a shadow across it: a half plane of any direction, its edge soft."""
    size = rgb.shape[-1]
    axis = (torch.arange(size, device=rgb.device) + 0.5) / size * 2 - 1
    high, wide = torch.meshgrid(axis, axis, indexing="ij")
    angle, offset = uniform(-math.pi, math.pi, 1, 1), uniform(-0.5, 0.5, 1, 1)
    across = wide * angle.cos() + high * angle.sin() - offset
    shadow = torch.sigmoid(4 * across / uniform(*EDGE, 1, 1))
    return rgb * (1 - uniform(0.0, DARKEST, 1, 1) * shadow)[:, None]


def miscut(rgb: Tensor, alpha: Tensor, uniform: Uniform, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut-outs whose edge wanders: parts of the object are eaten, parts of a plain background are kept.

    Args:
        rgb: (B, 3, S, S) straight. alpha: (B, 1, S, S).
    """
    size, margin = rgb.shape[-1], CUT_BLUR // 2
    coarse = standard_normal((len(rgb), 1, 5, 5), rng) * EATEN
    wander = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    near = functional.avg_pool2d(functional.pad(alpha, (margin,) * 4), CUT_BLUR, 1)
    # The object's inside stays: the box of a pixel well inside is full, and the wander is bounded.
    found = ((near - 0.5 + wander.clamp(-0.37, 0.37)) * 4 + 0.5).clamp(0, 1)
    background = uniform(0.0, 1.0, 3, 1, 1).expand_as(rgb)
    return torch.where(alpha > 0, rgb * alpha + background * (1 - alpha), background), found


def jpeg(picture: Tensor, uniform: Uniform) -> Tensor:
    """Pictures (B, 3, S, S) in [0, 1] through JPEG's loss, each at a quality of its own; all channels by the
    luminance table. What does not fill a block stays as it is.
    """
    size = picture.shape[-1] // BLOCK * BLOCK
    if not size:
        return picture
    quality = uniform(*QUALITY, 1, 1, 1, 1, 1)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)  # libjpeg's jpeg_quality_scaling
    transform, table = _tables(picture.device)
    blocks = (picture[..., :size, :size] * 255 - 128).unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)
    steps = (table * scale + 0.5).floor().clamp(1, 255)
    kept = (transform @ blocks @ transform.T / steps).round() * steps
    back = (transform.T @ kept @ transform + 128) / 255
    rows = back.permute(0, 1, 2, 4, 3, 5).reshape(*picture.shape[:2], size, size)
    lossy = picture.clone()
    lossy[..., :size, :size] = rows.clamp(0, 1)
    return lossy


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """The orthonormal cosine transform of a block (8, 8), and the quantisation table (8, 8)."""
    number = torch.arange(BLOCK, dtype=torch.float64)
    transform = torch.cos((2 * number + 1) * number[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    transform[0] /= math.sqrt(2)
    return transform.float().to(device), torch.tensor(LUMINANCE, dtype=torch.float32, device=device)
