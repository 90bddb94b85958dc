"""The picture as it was given, where a large texture can show more of it than the networks read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from geco.images.color import to_bytes
from geco.images.prepare import Prepared
from geco.types import Bytes, Doubles, Floats

# Own choice: a picture smaller than asked for is enlarged by a smooth filter first, at most so many times,
# and bilinearly from there.
ENLARGED = 2.0
MOST_SIDE = 4096  # pixels of the whole picture that are decoded: as many as the largest texture has


@dataclass(frozen=True)
class Detail:
    """Colours of the prepared square, in pixels of their own; what the square shows beyond the picture is not
    there.

    Attributes:
        pixels: (H, W, 4) uint8, sRGB; the fourth is of no meaning.
        scale, offset: column and row, whole at pixel centres, are ``scale * place + offset`` of a place in
            [0, 1]² of the square.
    """

    pixels: Bytes
    scale: tuple[float, float]
    offset: tuple[float, float]

    def at(self, x: Floats | Doubles, y: Floats | Doubles) -> Floats:
        """(3, N) colours in [0, 1] at places of the square, bilinear."""
        height, width = self.pixels.shape[:2]
        flat = self.pixels.reshape(-1, 4).view(np.uint32).reshape(-1)
        column = (x * np.float32(self.scale[0]) + np.float32(self.offset[0])).clip(0, width - 1.001)
        row = (y * np.float32(self.scale[1]) + np.float32(self.offset[1])).clip(0, height - 1.001)
        left, top = column.astype(np.int32), row.astype(np.int32)
        across, down = (column - left).astype(np.float32), (row - top).astype(np.float32)
        corner = (top * np.int32(width) + left).astype(np.intp)
        total = np.zeros((3, len(corner)), np.float32)
        for step, weight in (
            (0, (1 - across) * (1 - down)),
            (1, across * (1 - down)),
            (width, (1 - across) * down),
            (width + 1, across * down),
        ):
            channels = flat.take(corner + step).view(np.uint8).reshape(-1, 4)
            for line, channel in zip(total, channels.T):
                line += weight * channel
        total *= np.float32(1 / 255)
        return total


def detail_of(square: Floats) -> Detail:
    """A prepared square (S, S, 3 or 4) in [0, 1] as it is."""
    pixels = np.full((*square.shape[:2], 4), 255, np.uint8)
    pixels[..., :3] = to_bytes(square[..., :3])
    side = float(len(square))
    return Detail(pixels, (side, side), (-0.5, -0.5))


def detail(prepared: Prepared, size: int) -> Detail:
    """The square of a prepared picture with about ``size`` pixels a side, fewer where the picture as it was
    given has less than half as many.

    Raises:
        InputImageError: its file cannot be read in full resolution.
    """
    cutout = prepared.cutout
    height, width = cutout.rgba.shape[:2]
    if cutout.picture is None:
        pixels = to_bytes(cutout.rgba)
    else:
        wanted = math.ceil(size / prepared.side * max(height, width))
        pixels = cutout.picture.at_most(min(wanted, MOST_SIDE))
    across, down = pixels.shape[1] / width, pixels.shape[0] / height  # pixels of this a pixel of the cut-out
    x0, y0 = max(math.floor(prepared.left * across) - 2, 0), max(math.floor(prepared.top * down) - 2, 0)
    x1 = min(math.ceil((prepared.left + prepared.side) * across) + 2, pixels.shape[1])
    y1 = min(math.ceil((prepared.top + prepared.side) * down) + 2, pixels.shape[0])
    part = Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1, :3]))
    factor = min(size / (prepared.side * max(across, down)), ENLARGED)
    if factor > 1:
        part = part.resize(
            (round(part.width * factor), round(part.height * factor)), Image.Resampling.BICUBIC
        )
    fx, fy = part.width / (x1 - x0), part.height / (y1 - y0)
    part.putalpha(255)
    return Detail(
        np.asarray(part),
        (prepared.side * across * fx, prepared.side * down * fy),
        ((prepared.left * across - x0) * fx - 0.5, (prepared.top * down - y0) * fy - 0.5),
    )
