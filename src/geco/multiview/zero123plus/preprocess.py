"""What a transformers image processor does, read from its ``preprocessor_config.json``, on tensors and without torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from geco.errors import ConfigError

# OpenAI's CLIP statistics, which transformers' CLIPImageProcessor uses unless its file says otherwise.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocess:
    """Resize, centre crop, normalise.

    Attributes:
        shortest: side that the shorter edge is resized to, or None.
        exact: (height, width) to resize to regardless of shape, or None.
        crop: (height, width) of the centre crop, or None.
        mean, std: per channel, on values in [0, 1].
        resample: Pillow's number of the filter; 3 is bicubic.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    shortest: int | None = None
    exact: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    resample: int = 3

    @classmethod
    def from_transformers(cls, config: Mapping[str, Any]) -> Preprocess:
        """From the contents of a ``preprocessor_config.json`` of CLIP's kind; absent keys take its defaults."""
        size = config.get("size", {"shortest_edge": 224})
        shortest, exact = None, None
        if config.get("do_resize", True):
            if isinstance(size, int):
                shortest = size
            elif "shortest_edge" in size:
                shortest = int(size["shortest_edge"])
            else:
                exact = (int(size["height"]), int(size["width"]))
        crop = None
        if config.get("do_center_crop", True):
            given = config.get("crop_size", 224)
            crop = (given, given) if isinstance(given, int) else (int(given["height"]), int(given["width"]))
        normalise = config.get("do_normalize", True)
        mean = tuple(config.get("image_mean", CLIP_MEAN)) if normalise else (0.0, 0.0, 0.0)
        std = tuple(config.get("image_std", CLIP_STD)) if normalise else (1.0, 1.0, 1.0)
        return cls(mean, std, shortest, exact, crop, int(config.get("resample", 3)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """The inverse of :meth:`config`."""
        settings: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
        return cls(**settings)

    def config(self) -> dict[str, Any]:
        """As JSON-able settings."""
        return asdict(self)

    def __call__(self, picture: Tensor) -> Tensor:
        """picture (B, 3, H, W) in [0, 1] -> (B, 3, h, w) normalised, float32."""
        picture = picture.float()
        height, width = picture.shape[-2:]
        if self.exact is not None:
            picture = self._resize(picture, self.exact)
        elif self.shortest is not None:
            scale = self.shortest / min(height, width)
            # transformers truncates the longer side
            target = (self.shortest, int(width * scale)) if height <= width else (int(height * scale), self.shortest)
            picture = self._resize(picture, target)
        if self.crop is not None:
            picture = _center_crop(picture, self.crop)
        mean, std = (torch.tensor(x, device=picture.device).reshape(1, -1, 1, 1) for x in (self.mean, self.std))
        return (picture - mean) / std

    def _resize(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(picture.shape[-2:]) == size:
            return picture
        # Pillow's own filter on 8-bit pictures, as transformers does it and as the networks saw it in training; torch's
        # antialiased kernels differ from it by up to a level of 255.
        levels = (picture.clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
        resized = [np.asarray(Image.fromarray(item).resize(size[::-1], Image.Resampling(self.resample))) for item in levels]
        return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).to(picture) / 255


def _center_crop(picture: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = picture.shape[-2:]
    if height < size[0] or width < size[1]:
        raise ConfigError(
            f"cannot crop {size[0]} x {size[1]} from {height} x {width}", "The model's preprocessing needs a larger picture."
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return picture[..., top : top + size[0], left : left + size[1]]
