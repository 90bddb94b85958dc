"""From a cut-out to what the networks were trained to see: cropped to the object, centred,
framed, over a plain colour.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from geco.errors import ConfigError, InputImageError
from geco.images.color import to_bytes
from geco.images.filters import dilate, resize
from geco.images.matting import Cutout
from geco.images.write import save_picture
from geco.types import Floats

# Longer side of the object's box in the square. InstantMesh, run.py: resize_foreground(image, 0.85), after
# TripoSR and rembg.
ZERO123PLUS_RATIO = 0.85
# the square around an object of 1024 pixels then has 4096 a side, 0.3 GB; no model asks for less than 0.6
LEAST_RATIO = 0.25
# alpha from which a pixel counts for the box; the public code takes any above 0, which one stray pixel
# decides
VISIBLE = 0.05
STEPS = ("cutout.png", "alpha.png", "prepared.png")  # the files of Prepared.save_steps

Canvas = tuple[Floats, tuple[float, float, float, float]]  # see Prepared.canvas


@dataclass
class Prepared:
    """What a network is shown, and how to get back.

    Attributes:
        rgb: (S, S, 3) float32 in [0, 1], over the background.
        alpha: (S, S) float32 in [0, 1].
        left, top, side: the square in pixels of the cut-out picture; it may reach beyond the picture.
        cutout: the picture it was taken from.
        background: the grey level under it.
        canvas: (4, h, w) the cut-out around the square, premultiplied, and the square in it.
    """

    rgb: Floats
    alpha: Floats
    left: float
    top: float
    side: float
    cutout: Cutout
    background: float
    canvas: Canvas

    def rgba(self, size: int) -> Floats:
        """The same square at another size, (size, size, 4) float32, straight alpha: for the projection of the
        picture.

        The object's colours reach two pixels beyond its edge, so that interpolation at the edge finds no
        foreign colour.
        """
        premultiplied = _sample(self.canvas, size)
        alpha = premultiplied[..., 3]
        seen = alpha > VISIBLE
        straight = premultiplied.copy()
        straight[..., :3] /= np.maximum(alpha, VISIBLE)[..., None]
        rows, columns = np.nonzero(dilate(seen, 2) & ~seen)
        pixels, around = premultiplied.reshape(-1, 4), np.zeros((len(rows), 4), np.float32)
        across = [(columns + right).clip(0, size - 1) for right in range(-2, 3)]
        for down in range(-2, 3):
            first = (rows + down).clip(0, size - 1) * size
            for column in across:
                around += pixels[first + column]
        straight[rows, columns, :3] = around[:, :3] / np.maximum(around[:, 3:], 1e-6)
        return straight.clip(0, 1)

    def save_steps(self, folder: str | os.PathLike[str], mark: str = "") -> list[Path]:
        """Write what the model saw: :data:`STEPS` (the cut-out RGBA, its alpha, the square); returns their
        paths.

        Args:
            folder: made as needed.
            mark: what the files say about themselves (:func:`geco.marks.mark_text`).

        Raises:
            OutputError: the folder cannot be written.
        """
        paths = [Path(folder) / name for name in STEPS]
        for path, picture in zip(paths, (self.cutout.rgba, self.cutout.rgba[..., 3], self.rgb)):
            save_picture(Image.fromarray(to_bytes(picture)), path, mark)
        return paths


def prepare(
    cutout: Cutout | Floats,
    size: int,
    foreground_ratio: float = ZERO123PLUS_RATIO,
    background: float = 1.0,
    eight_bits: bool = False,
) -> Prepared:
    """Crop to the object's box, centre it in a square, scale, and lay it over a grey level.

    Args:
        cutout: from :func:`geco.images.matting.cut_out`, or (H, W, 4) float32 in [0, 1].
        size: pixels of the square's side.
        foreground_ratio: the longer side of the object's box as a part of the square, 0.25 to 1; a model's
            card says what it was trained with.
        background: grey level in [0, 1]; every model of ours wants white. (Zero123++'s own UNets were given
            0.5.)
        eight_bits: lay the cut-out over the grey at its own size, in whole levels of 255 rounded down, and
            scale that with a bilinear filter, as TripoSR's public code does.

    Raises:
        InputImageError: there is no object.
    """
    if isinstance(cutout, np.ndarray):
        cutout = Cutout(cutout.astype(np.float32), "alpha", 1.0, "the array")
    visible = cutout.rgba[..., 3] > VISIBLE
    if not visible.any():
        raise InputImageError(f"{cutout.name} is fully transparent", "Give a picture with an object in it.")
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    width, height = float(columns[-1] + 1 - columns[0]), float(rows[-1] + 1 - rows[0])
    longer = max(width, height)
    if not LEAST_RATIO <= foreground_ratio <= 1:
        raise ConfigError(
            f"foreground ratio {foreground_ratio} is out of range", f"Give a number from {LEAST_RATIO} to 1."
        )
    side = longer / foreground_ratio
    left = (columns[0] + columns[-1] + 1 - side) / 2
    top = (rows[0] + rows[-1] + 1 - side) / 2
    canvas = _canvas(cutout.rgba, left, top, side)
    if eight_bits:
        rgb, alpha = _composed(canvas, size, background)
    else:
        premultiplied = _sample(canvas, size)
        alpha = premultiplied[..., 3]
        rgb = (premultiplied[..., :3] + background * (1 - alpha[..., None])).clip(0, 1)
    return Prepared(rgb, alpha, float(left), float(top), float(side), cutout, background, canvas)


def _sample(canvas: Canvas, size: int) -> Floats:
    """The square of a canvas, resampled with premultiplied colours; (size, size, 4), colours at most alpha.

    Pillow's bicubic filter widens with the reduction (an area filter with a little sharpening), and takes
    fractional boxes.
    """
    planes, part = canvas
    out = resize(planes, size, size, Image.Resampling.BICUBIC, part)
    np.clip(out, 0, 1, out=out)
    np.minimum(out[:3], out[3], out=out[:3])
    return np.ascontiguousarray(out.transpose(1, 2, 0))


def _composed(canvas: Canvas, size: int, background: float) -> tuple[Floats, Floats]:
    """(size, size, 3) colours and (size, size) alpha of ``eight_bits``."""
    planes, part = canvas[0].copy(), canvas[1]
    planes[:3] += background * (1 - planes[3])
    # a hair above, so that a whole level is not rounded down to the one before
    planes[:3] = np.floor(planes[:3] * 255 + 1e-3) / 255
    out = resize(planes, size, size, Image.Resampling.BILINEAR, part).clip(0, 1)
    return np.ascontiguousarray(out[:3].transpose(1, 2, 0)), out[3]


def _canvas(rgba: Floats, left: float, top: float, side: float) -> Canvas:
    """(4, h, w) premultiplied, the picture around the square, empty beyond it; and the square in it."""
    height, width = rgba.shape[:2]
    # Two pixels more on each side, so that the filter at the square's edge sees what is there, not the edge
    # repeated.
    x0, y0 = int(np.floor(left)) - 2, int(np.floor(top)) - 2
    x1, y1 = int(np.ceil(left + side)) + 2, int(np.ceil(top + side)) + 2
    canvas = np.zeros((4, y1 - y0, x1 - x0), np.float32)
    rows, columns = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
    piece = rgba[rows, columns].transpose(2, 0, 1)
    target = canvas[:, rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
    np.multiply(piece, piece[3], out=target)
    target[3] = piece[3]
    return canvas, (left - x0, top - y0, left - x0 + side, top - y0 + side)
