"""Pictures to what the encoders read, and sheets of six views to pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

ROWS, COLUMNS = 3, 2  # view = row * 2 + column


@dataclass
class GecoViews(BaseOutput):
    """What the pipeline gives.

    Attributes:
        images: one a seed: Pillow pictures of the sheet (3 rows, 2 columns), or tensors of it.
        views: (N, 6, 3, S, S) float32 in [0, 1].
        latents: what they were made of: (N, 4, 3h, 2w), or (N, 6, 3, S, S) of the small family.
    """

    images: Any
    views: Tensor
    latents: Tensor


def picture_of(image: Any, background: float) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    if isinstance(image, Tensor):
        return image.reshape(-1, *image.shape[-3:]).float().cpu()
    rgba = np.asarray(image.convert("RGBA"), np.float32) / 255
    flat = rgba[..., :3] * rgba[..., 3:] + background * (1 - rgba[..., 3:])
    return torch.from_numpy(flat).permute(2, 0, 1)[None]


def prepared(picture: Tensor, about: Mapping[str, Any]) -> Tensor:
    """What CLIP's image processor does, resized by Pillow as the networks saw it in training."""
    picture = picture.float()
    if about.get("do_resize", True):
        size = dict(about["size"])
        height, width = picture.shape[-2:]
        if size.get("shortest_edge"):
            scale = size["shortest_edge"] / min(height, width)
            target = (
                (size["shortest_edge"], int(width * scale))
                if height <= width
                else (int(height * scale), size["shortest_edge"])
            )
        else:
            target = (size["height"], size["width"])
        picture = resized(picture, target, int(about.get("resample", 3)))
    if about.get("do_center_crop", True):
        crop = dict(about["crop_size"])
        top, left = ((a - b) // 2 for a, b in zip(picture.shape[-2:], (crop["height"], crop["width"])))
        picture = picture[..., top : top + crop["height"], left : left + crop["width"]]
    mean, std = (torch.tensor(about[key]).reshape(1, -1, 1, 1) for key in ("image_mean", "image_std"))
    return (picture - mean) / std


def resized(picture: Tensor, size: tuple[int, int], resample: int) -> Tensor:
    if tuple(picture.shape[-2:]) == size:
        return picture
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    rows = [
        np.asarray(Image.fromarray(item).resize(size[::-1], Image.Resampling(resample))) for item in levels
    ]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).to(picture) / 255


def sheet_views(sheets: Tensor) -> Tensor:
    """(N, 3, 3 S, 2 S) -> (N, 6, 3, S, S)."""
    count, channels, height, width = sheets.shape
    grid = sheets.reshape(count, channels, ROWS, height // ROWS, COLUMNS, width // COLUMNS)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(count, 6, channels, height // ROWS, width // COLUMNS)


def pil_of(sheet: Tensor) -> Image.Image:
    return Image.fromarray((sheet.permute(1, 2, 0) * 255).round().to("cpu", torch.uint8).numpy())


def sheet_of(views: Tensor) -> Tensor:
    """(N, 6, 3, S, S) -> (N, 3, 3 S, 2 S), row by row."""
    count, _, channels, height, width = views.shape
    grid = views.reshape(count, ROWS, COLUMNS, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, ROWS * height, COLUMNS * width)
