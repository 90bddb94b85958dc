"""What a transformers image processor does, read from its ``preprocessor_config.json``, on
tensors and without torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from geco.checked import Checked, reals, whole, wholes
from geco.errors import ConfigError
from geco.foreign import Fields

# OpenAI's CLIP statistics (clip.py), which transformers' CLIPImageProcessor uses unless its file says
# otherwise.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
LARGEST = 4096  # pixels a side that a picture is brought to


@dataclass(frozen=True)
class Preprocess(Checked):
    """Resize, centre crop, normalise.

    Attributes:
        shortest: side that the shorter edge is resized to, or None.
        exact: (height, width) to resize to regardless of shape, or None.
        crop: (height, width) of the centre crop, or None.
        mean, std: per channel, on values in [0, 1].
        resample: Pillow's number of the filter; 3 is bicubic.
    """

    mean: tuple[float, ...] = reals(CLIP_MEAN, -10.0, 10.0, 3, 3)
    std: tuple[float, ...] = reals(CLIP_STD, 1e-6, 100.0, 3, 3)
    shortest: int | None = whole(None, 1, LARGEST)
    exact: tuple[int, int] | None = wholes(None, 1, LARGEST, 2, 2)
    crop: tuple[int, int] | None = wholes(None, 1, LARGEST, 2, 2)
    resample: int = whole(3, 0, 5)

    @classmethod
    def from_transformers(cls, values: Fields | Mapping[str, Any]) -> Preprocess:
        """From the fields of a ``preprocessor_config.json`` of CLIP's kind; absent ones take its defaults."""
        config = (
            values
            if isinstance(values, Fields)
            else Fields(dict(values), "preprocessor_config.json", ConfigError)
        )
        shortest, exact, crop = None, None, None
        if config.flag("do_resize", True):
            if isinstance(config.values.get("size", {}), dict):
                size = config.fields("size", None)
                if size is None or "shortest_edge" in size:
                    shortest = 224 if size is None else size.integer("shortest_edge", 1, LARGEST)
                else:
                    exact = _height_width(size)
            else:
                shortest = config.integer("size", 1, LARGEST)
        if config.flag("do_center_crop", True):
            if isinstance(config.values.get("crop_size", 224), dict):
                crop = _height_width(config.fields("crop_size"))
            else:
                side = config.integer("crop_size", 1, LARGEST, 224)
                crop = (side, side)
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if config.flag("do_normalize", True):
            mean = config.numbers("image_mean", default=CLIP_MEAN)
            std = config.numbers("image_std", default=CLIP_STD)
        resample = config.integer("resample", 0, 5, 3)
        try:
            return cls(tuple(mean), tuple(std), shortest, exact, crop, resample)
        except ConfigError as error:
            raise config.wrong(f"does not fit: {error.problem}") from error

    def config(self) -> dict[str, Any]:
        """As JSON-able settings."""
        return self.to_dict()

    def __call__(self, picture: Tensor) -> Tensor:
        """picture (B, 3, H, W) in [0, 1] -> (B, 3, h, w) normalised, float32."""
        picture = picture.float()
        height, width = picture.shape[-2:]
        if self.exact is not None:
            picture = self._resize(picture, self.exact)
        elif self.shortest is not None:
            scale = self.shortest / min(height, width)
            # transformers truncates the longer side
            target = (
                (self.shortest, int(width * scale))
                if height <= width
                else (int(height * scale), self.shortest)
            )
            picture = self._resize(picture, target)
        if self.crop is not None:
            picture = _center_crop(picture, self.crop)
        mean, std = (
            torch.tensor(x, device=picture.device).reshape(1, -1, 1, 1) for x in (self.mean, self.std)
        )
        return (picture - mean) / std

    def _resize(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(picture.shape[-2:]) == size:
            return picture
        # Pillow's own filter on 8-bit pictures, as transformers does it and as the networks saw it in
        # training; torch's antialiased kernels differ from it by up to a level of 255.
        levels = (picture.clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
        resized = [
            np.asarray(Image.fromarray(item).resize(size[::-1], Image.Resampling(self.resample)))
            for item in levels
        ]
        return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).to(picture) / 255


def _height_width(fields: Fields) -> tuple[int, int]:
    return fields.integer("height", 1, LARGEST), fields.integer("width", 1, LARGEST)


def _center_crop(picture: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = picture.shape[-2:]
    if height < size[0] or width < size[1]:
        raise ConfigError(
            f"cannot crop {size[0]} x {size[1]} from {height} x {width}",
            "The model's preprocessing needs a larger picture.",
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return picture[..., top : top + size[0], left : left + size[1]]
