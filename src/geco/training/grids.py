"""Picture grids that a training leaves to look at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


def picture_rows(conditions: Tensor, rows: Sequence[Tensor]) -> Image.Image:
    """Each condition beside its six views, one line for every entry of ``rows``.

    Args:
        conditions: (N, 3, H, W) in [0, 1].
        rows: tensors (N, 6, 3, S, S) in [0, 1].
    """
    size = rows[0].shape[-1]
    shown = functional.interpolate(conditions.cpu().float(), (size, size), mode="bilinear", antialias=True)[
        :, None
    ]
    # (N, R, 7, 3, S, S)
    together = torch.stack([torch.cat([shown, row.cpu().float()], dim=1) for row in rows], dim=1)
    return strips(together.flatten(0, 1))


def strips(pictures: Tensor) -> Image.Image:
    """Pictures (R, V, 3, S, S) in [0, 1] as R rows of V."""
    r, v, _, s, _ = pictures.shape
    sheet = pictures.cpu().float().permute(0, 3, 1, 4, 2).reshape(r * s, v * s, 3).clamp(0, 1)
    return Image.fromarray((sheet * 255).round().byte().numpy())
