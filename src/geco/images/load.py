"""Reading a picture, whatever its file says it is, into straight (not premultiplied) sRGB RGBA in [0, 1]."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geco.errors import InputImageError
from geco.images.alpha import cuts_out
from geco.images.arrays import from_array
from geco.images.color import to_bytes, to_rgba8
from geco.images.opened import check_pixels, decoding, open_picture, silent
from geco.images.picture_bytes import MAX_BYTES, MAX_PIXELS, Readable, read_bytes
from geco.types import Bytes, Floats

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SIDE", "MIN_SIDE", "ORIENTATION_TAG", "Picture", "load_picture"]

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Image.Image | NDArray[Any]

MIN_SIDE = 16  # pixels; below it there is no shape to see (the networks' own patches are 8 to 16 px)
# pixels kept: the largest network input is 512 and the projected texture rarely shows more than 768
MAX_SIDE = 1024
LEAST_PART = 192  # pixels: smaller parts are enlarged, because the cut-out methods count in pixels

ORIENTATION_TAG = 0x0112  # EXIF 2.3, table 4: values 1 to 8
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the sides
# Where a place of the upright picture lies in the file's, both as shares of the sides.
_LYING: dict[Image.Transpose | None, Callable[[float, float], tuple[float, float]]] = {
    None: lambda x, y: (x, y),
    Image.Transpose.FLIP_LEFT_RIGHT: lambda x, y: (1 - x, y),
    Image.Transpose.ROTATE_180: lambda x, y: (1 - x, 1 - y),
    Image.Transpose.FLIP_TOP_BOTTOM: lambda x, y: (x, 1 - y),
    Image.Transpose.TRANSPOSE: lambda x, y: (y, x),
    Image.Transpose.ROTATE_270: lambda x, y: (y, 1 - x),
    Image.Transpose.TRANSVERSE: lambda x, y: (1 - y, 1 - x),
    Image.Transpose.ROTATE_90: lambda x, y: (1 - y, x),
}


@dataclass
class Picture:
    """A picture as it was given.

    Attributes:
        rgba: (H, W, 4) float32 in [0, 1], sRGB, straight alpha; no side above :data:`MAX_SIDE` unless asked.
        has_alpha: whether its transparency cuts something out; see :func:`geco.images.alpha.cuts_out`.
        name: what to call it in messages: its path, or what kind of object it came from.
        source: what a reduced picture, or a part of one, can be read from once more, at its own resolution;
            else None.
        box: what of the source it is: left, top, right, bottom as shares of its sides.
    """

    rgba: Floats
    has_alpha: bool
    name: str
    source: bytes | Image.Image | NDArray[Any] | None = field(default=None, repr=False)
    box: Box = (0.0, 0.0, 1.0, 1.0)

    def part(self, left: float, top: float, right: float, bottom: float) -> Picture:
        """A part of it, by shares of its sides, at its own resolution, its longer side from LEAST_PART to
        MAX_SIDE.

        A reduced picture's file is decoded once more, whole: memory is bounded as for any picture.

        Raises:
            InputImageError: the file cannot be read in full resolution.
        """
        box = (left, top, right, bottom)
        if self.source is None:
            x0, y0, x1, y1 = _pixels(box, self.rgba.shape[1], self.rgba.shape[0])
            rgba = self.rgba[y0:y1, x0:x1]
        else:
            rgba = _floats(self._read(box, MAX_SIDE))
        if max(rgba.shape[:2]) < LEAST_PART:
            image = Image.fromarray(to_bytes(rgba))
            rgba = np.asarray(_scaled(image, LEAST_PART)).astype(np.float32) * np.float32(1 / 255)
        return Picture(rgba, cuts_out(rgba[..., 3]), self.name, self.source, box)

    def at_most(self, side: int) -> Bytes:
        """The same picture with the pixels that it was given with, its longer side at most ``side`` but never
        less than here: (H, W, 3 or 4) uint8.

        Raises:
            InputImageError: the file cannot be read in full resolution.
        """
        if self.source is None or side <= max(self.rgba.shape[:2]):
            return to_bytes(self.rgba)
        found = self._read(self.box, side)
        return to_bytes(found) if isinstance(found, np.ndarray) else np.asarray(found)

    def _read(self, box: Box, side: int) -> Image.Image | Floats:
        """A part of the source, decoded once more, its longer side at most ``side``."""
        if isinstance(self.source, np.ndarray):
            x0, y0, x1, y1 = _pixels(box, self.source.shape[1], self.source.shape[0])
            piece = from_array(np.ascontiguousarray(self.source[y0:y1, x0:x1]), self.name, side)
            return _upright(piece, self.name, side) if isinstance(piece, Image.Image) else piece
        assert self.source is not None
        return _upright(open_picture(self.source, self.name), self.name, side, box)


def load_picture(source: Source, *, name: str | None = None, max_side: int = MAX_SIDE) -> Picture:
    """Read a picture: a path, the bytes of a file, an open file, a Pillow image, or an array.

    Arrays are (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4): uint8, uint16, bool, or float in [0, 1].
    Every Pillow mode is read; orientation is applied, an embedded ICC profile is converted to sRGB, and
    pictures larger than ``max_side`` are reduced while decoding. Of a file of several pictures the first one
    is read. A Pillow image stays as it was.

    Raises:
        InputImageError: the picture cannot be read, is too large, too small, or has nothing in it.
    """
    label = name or _label(source)
    if not isinstance(source, (np.ndarray, Image.Image)):
        source = read_bytes(source, label)
    opened = (
        from_array(source, label, max_side) if isinstance(source, np.ndarray) else open_picture(source, label)
    )
    width, height = opened.size if isinstance(opened, Image.Image) else opened.shape[1::-1]
    check_pixels(width, height, label)
    _check_sides(width, height, label, max_side)
    rgba = _floats(_upright(opened, label, max_side) if isinstance(opened, Image.Image) else opened)
    _check_content(rgba, label)
    # The scale of 32-bit numbers is that of the largest: a part of them would have another.
    reduced = max(width, height) > max_side and getattr(opened, "mode", "") not in ("I", "F")
    return Picture(rgba, cuts_out(rgba[..., 3]), label, source if reduced else None)


def _label(source: Source) -> str:
    if isinstance(source, np.ndarray):
        return "the array"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "the uploaded picture"
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    said = getattr(source, "filename", None) or getattr(source, "name", None)
    return str(said) if isinstance(said, (str, os.PathLike)) else "the picture"


def _upright(image: Image.Image, label: str, max_side: int, part: Box | None = None) -> Image.Image:
    """Decode, crop to the part (shares of the upright picture), reduce, turn upright; RGB or RGBA."""
    with decoding(label):
        if image.format == "JPEG" and part is None:
            # The decoder itself skips detail (1/2, 1/4, 1/8); half as much again as wanted leaves room for a
            # good last step.
            scale = 1.5 * max_side / max(image.size)
            image.draft(None, (max(int(image.width * scale), 1), max(int(image.height * scale), 1)))
        with silent() if image.format == "TIFF" else contextlib.nullcontext():
            image.load()
        # Only now: PNG may say it after the pixels, and Pillow itself turns a TIFF while loading it, then
        # forgets its tag.
        turn = _orientation(image)
        if part is not None:
            image = _cropped(image, part, turn)
        image = to_rgba8(image, max_side, label)
        if max(image.size) > max_side:
            image = _scaled(image, max_side)
        if turn is not None:
            image = image.transpose(turn)
        image.load()
        return image


def _floats(image: Image.Image | Floats) -> Floats:
    """(H, W, 4) float32 in [0, 1] of what has been decoded."""
    if not isinstance(image, Image.Image):
        return image
    rgba = np.asarray(image).astype(np.float32)
    rgba *= np.float32(1 / 255)
    if rgba.shape[2] == 3:
        rgba = np.concatenate([rgba, np.ones_like(rgba[..., :1])], axis=2)
    return rgba


def _cropped(image: Image.Image, part: Box, turn: Image.Transpose | None) -> Image.Image:
    """The part, given in the upright picture, of the picture as the file has it."""
    left, top, right, bottom = part
    (a, b), (c, d) = _LYING[turn](left, top), _LYING[turn](right, bottom)
    box = _pixels((min(a, c), min(b, d), max(a, c), max(b, d)), *image.size)
    cropped = image.crop(box)
    cropped.format = image.format
    return cropped


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom in whole pixels, at least one each way."""
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    return left, top, max(math.ceil(box[2] * width), left + 1), max(math.ceil(box[3] * height), top + 1)


def _check_sides(width: int, height: int, label: str, max_side: int) -> None:
    """Raises InputImageError: a side is too short, as it is or once the other one is reduced."""
    if min(width, height) < MIN_SIDE:
        problem = f"{label} is too small ({width} x {height} pixels)"
        raise InputImageError(problem, f"Each side needs at least {MIN_SIDE} pixels.")
    if round(min(width, height) * min(max_side / max(width, height), 1)) < MIN_SIDE:
        raise InputImageError(f"{label} is too narrow ({width} x {height} pixels)", "Crop it to the object.")


def _scaled(image: Image.Image, side: int) -> Image.Image:
    """The longer side becomes ``side``; Pillow resizes RGBA premultiplied, so colours hidden by
    alpha do not bleed.
    """
    scale = side / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:
        # damaged metadata, whatever Pillow stumbles over in it, does not make the picture unreadable
        return None


def _check_content(rgba: Floats, label: str) -> None:
    alpha = rgba[..., 3]
    if float(alpha.max()) < 0.1:
        raise InputImageError(f"{label} is fully transparent", "Give a picture with an object in it.")
    if float(alpha.min()) > 0.98 and float(np.ptp(rgba[..., :3], axis=(0, 1)).max()) < 2.5 / 255:
        raise InputImageError(
            f"{label} is one single colour, with nothing to see in it", "Give a picture with an object in it."
        )
