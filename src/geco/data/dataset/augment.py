"""Augmentations that keep cameras true, a sample at a time: a crop changes the lens that is handed on with
the picture.

Colour jitter and blur of whole batches, whose cameras nobody reads, are in :mod:`geco.training.augment`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from geco.errors import ConfigError
from geco.types import Bytes, Floats

WHITE = np.ones(3, np.float32)


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each sample; the defaults change nothing.

    Attributes:
        crop: range of the condition picture's magnification. The object stays whole in the frame: too large a
            draw is cut down.
        shift: largest displacement of the condition picture, part of its side; likewise.
        brightness: range of the gain on the condition picture's colours.
        background: part of the samples whose condition gets a background of random colour instead of white.
        same_background: the other pictures of the sample get the condition's background too.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    brightness: tuple[float, float] = (1.0, 1.0)
    background: float = 0.0
    same_background: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in (("crop", self.crop), ("brightness", self.brightness)):
            if not 0 < low <= high:
                raise ConfigError(
                    f"{name} range {low} ... {high} is not a range of positive numbers", "1 changes nothing."
                )
        if not 0 <= self.background <= 1 or not 0 <= self.shift < 1:
            raise ConfigError(
                f"background {self.background} or shift {self.shift} is out of range", "Both are parts of 1."
            )

    def condition(self, rgba: Bytes, lens: Floats, rng: np.random.Generator) -> tuple[Bytes, Floats, Floats]:
        """Picture (S, S, 4), lens (3,) and background (3,) in [0, 1] of one sample."""
        zoom, (right, down) = rng.uniform(*self.crop), rng.uniform(-self.shift, self.shift, 2)
        gain, draw, color = rng.uniform(*self.brightness), rng.random(), rng.random(3).astype(np.float32)
        if zoom != 1 or right or down:
            rgba, lens = crop(rgba, lens, *kept_whole(rgba, zoom, right, down))
        if gain != 1:
            rgba = brighten(rgba, gain)
        return rgba, lens, color if draw < self.background else WHITE

    def others(self, background: Floats) -> Floats:
        """The background of the sample's other pictures."""
        return background if self.same_background else WHITE


def crop(
    rgba: Bytes, lens: Floats, zoom: float, right: float = 0.0, down: float = 0.0
) -> tuple[Bytes, Floats]:
    """Magnify about the middle, then move; the lens moves along, so a point of the world still falls on its
    pixel.

    Args:
        rgba: (S, S, 4) straight alpha; what comes in from outside the frame is transparent.
        lens: (3,) focal length, cx, cy, normalised by the image size.
        zoom: above 1 the object grows. right, down: parts of the side.
    """
    size = rgba.shape[0]
    # out = (in - 0.5) zoom + 0.5 + shift, hence the frame of the result in the given picture:
    left, top = ((-0.5 - shift) / zoom + 0.5 for shift in (right, down))
    margin = int(np.ceil(size * max(0.0, -left, -top, left + 1 / zoom - 1, top + 1 / zoom - 1))) + 1
    values = rgba.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255  # so that nothing's colour does not mix in
    values = np.pad(values, ((margin, margin), (margin, margin), (0, 0)))
    box = (
        left * size + margin,
        top * size + margin,
        (left + 1 / zoom) * size + margin,
        (top + 1 / zoom) * size + margin,
    )
    # Pillow widens the filter when it shrinks. Channels apart, in float: its own RGBA rounds the products to
    # 8 bits.
    channels = [
        Image.fromarray(values[..., i]).resize((size, size), Image.Resampling.BILINEAR, box=box)
        for i in range(4)
    ]
    resized = np.stack([np.asarray(channel) for channel in channels], axis=-1)
    resized[..., :3] *= 255 / np.maximum(resized[..., 3:], 0.5)
    result = np.clip(np.rint(resized), 0, 255).astype(np.uint8)
    focal, cx, cy = lens
    moved = [focal * zoom, (cx - 0.5) * zoom + 0.5 + right, (cy - 0.5) * zoom + 0.5 + down]
    return result, np.array(moved, np.float32)


def kept_whole(rgba: Bytes, zoom: float, right: float, down: float) -> tuple[float, float, float]:
    """The nearest zoom and shift at which everything visible stays in the frame."""
    size = rgba.shape[0]
    rows, columns = (np.flatnonzero(rgba[..., 3].any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return zoom, right, down
    low = np.array([columns[0], rows[0]]) / size - 0.5
    high = np.array([columns[-1] + 1, rows[-1] + 1]) / size - 0.5
    zoom = float(min(zoom, 1 / (high - low).max()))
    shift = np.clip([right, down], -0.5 - zoom * low, 0.5 - zoom * high)
    return zoom, float(shift[0]), float(shift[1])


def brighten(rgba: Bytes, gain: float) -> Bytes:
    """Colours times ``gain``, alpha as it was."""
    result = rgba.copy()
    result[..., :3] = np.clip(np.rint(rgba[..., :3] * np.float32(gain)), 0, 255)
    return result


def over(rgba: Bytes, background: Floats) -> Floats:
    """(..., H, W, 4) uint8 straight alpha over colours (..., 3) in [0, 1] -> (..., H, W, 3)
    float32 in [0, 1].
    """
    values = rgba.astype(np.float32) / np.float32(255)
    alpha = values[..., 3:]
    return np.asarray(values[..., :3] * alpha + (1 - alpha) * background[..., None, None, :], np.float32)
