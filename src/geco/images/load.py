"""Reading a picture, whatever its file says it is, into straight (not premultiplied) sRGB RGBA in [0, 1]."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from geco.errors import InputImageError
from geco.images.alpha import cuts_out
from geco.images.color import to_rgba8, wide_to_unit

Floats = NDArray[np.float32]
Source = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]

MAX_PIXELS = 64_000_000  # refused from the header alone, before decoding: 64 MP is any phone's full mode, 0.4 GB decoded
MAX_BYTES = 512 * 2**20  # of a file: 64 MP of 16-bit RGBA, uncompressed
MIN_SIDE = 16  # pixels; below it there is no shape to see (the networks' own patches are 8 to 16 px)
MAX_SIDE = 1024  # pixels kept: the largest network input is 512 and the projected texture rarely shows more than 768

# What Pillow's decoders are known to raise on damaged data, beside OSError.
DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

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


@dataclass
class Picture:
    """A picture as it was given.

    Attributes:
        rgba: (H, W, 4) float32 in [0, 1], sRGB, straight alpha; no side above :data:`MAX_SIDE` unless asked.
        has_alpha: whether its transparency cuts something out; see :func:`geco.images.alpha.cuts_out`.
        name: what to call it in messages: its path, or what kind of object it came from.
    """

    rgba: Floats
    has_alpha: bool
    name: str


def load_picture(source: Source, *, name: str | None = None, max_side: int = MAX_SIDE) -> Picture:
    """Read a picture: a path, the bytes of a file, a Pillow image, or an array.

    Arrays are (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4): uint8, uint16, bool, or float in [0, 1]. Every Pillow mode is
    read; EXIF orientation is applied, an embedded ICC profile is converted to sRGB, and pictures larger than ``max_side``
    are reduced while decoding.

    Raises:
        InputImageError: the picture cannot be read, is too large, too small, or has nothing in it.
    """
    if isinstance(source, np.ndarray):
        label = name or "the array"
        image: Image.Image | None = None
        rgba = _from_array(source, label)
    elif isinstance(source, Image.Image):
        label = name or getattr(source, "filename", "") or "the image"
        image = source
    else:
        label = name or ("the uploaded picture" if isinstance(source, bytes) else os.fspath(source))
        image = _open(source, label)
    if image is not None:
        rgba = _decode(image, label, max_side, owned=image is not source)
    elif max(rgba.shape[:2]) > max_side:
        image = Image.fromarray(np.rint(rgba * 255).astype(np.uint8))
        rgba = _decode(image, label, max_side, owned=True)
    _check_content(rgba, label)
    return Picture(rgba, cuts_out(rgba[..., 3]), label)


def _open(source: str | os.PathLike[str] | bytes, label: str) -> Image.Image:
    """Read the header only; the file itself is read whole and closed, so a refused picture leaves nothing open."""
    data = source if isinstance(source, bytes) else _read(Path(source), label)
    if not data:
        raise InputImageError(f"{label} is empty (0 bytes)", "Save or download the picture again.")
    with warnings.catch_warnings():
        # Pillow warns from 89 MP and raises from 179 MP; both are above our own limit.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(data))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(label, str(error).split(" exceeds")[0]) from None
        except UnidentifiedImageError:
            raise InputImageError(f"{label} is not a picture in a format that can be read", _format_advice(data[:64])) from None
        except DECODER_ERRORS as error:
            raise InputImageError(f"{label} cannot be read: {error}", "Open it in a viewer and save it as PNG or JPEG.") from error


def _read(path: Path, label: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(label, f"{path.stat().st_size / 2**20:.0f} MiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputImageError(f"{label} does not exist", "Check the path.") from None
    except IsADirectoryError:
        raise InputImageError(f"{label} is a folder, not a picture", "Name a picture file.") from None
    except OSError as error:
        raise InputImageError(f"{label} cannot be read: {error.strerror or error}", "Check the path and its rights.") from error


def _format_advice(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "It looks like HEIC, AVIF or a video: convert it to PNG or JPEG."
    if b"<svg" in head or head.startswith(b"<?xml"):
        return "It looks like SVG, a drawing: export it as PNG."
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "It holds text: was the download a web page? Give a PNG, JPEG, WebP, TIFF, GIF or BMP file."
    return "Give a PNG, JPEG, WebP, TIFF, GIF or BMP file."


def _too_large(label: str, what: str) -> InputImageError:
    return InputImageError(
        f"{label} is too large ({what}; the limit is {MAX_PIXELS / 1e6:.0f} megapixels and {MAX_BYTES // 2**20} MiB)",
        "Reduce it first.",
    )


def _decode(image: Image.Image, label: str, max_side: int, *, owned: bool) -> Floats:
    """Decode, reduce, turn upright and convert to (H, W, 4) float32."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(label, f"{width} x {height} pixels")
    if min(width, height) < MIN_SIDE:
        raise InputImageError(f"{label} is too small ({width} x {height} pixels)", f"Each side needs at least {MIN_SIDE} pixels.")
    turn = _orientation(image)
    try:
        if image.format == "JPEG":
            # The decoder itself skips detail (1/2, 1/4, 1/8); half as much again as wanted leaves room for a good last step.
            scale = 1.5 * max_side / max(width, height)
            image.draft(None, (int(width * scale), int(height * scale)))
        image.load()
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            rgba = wide_to_unit(np.asarray(image), image.info.get("transparency"), label)
            image = Image.fromarray(np.rint(rgba * 255).astype(np.uint8))
        else:
            image = to_rgba8(image if owned else image.copy(), max_side)
        if max(image.size) > max_side:
            image = _reduced(image, max_side)
    except DECODER_ERRORS as error:
        raise InputImageError(f"{label} is damaged: {error}", "Save or download the picture again.") from error
    if min(image.size) < MIN_SIDE:
        raise InputImageError(f"{label} is too narrow ({width} x {height} pixels)", "Crop it to the object.")
    if turn is not None:
        image = image.transpose(turn)
    rgba = np.asarray(image).astype(np.float32)
    rgba *= np.float32(1 / 255)
    if rgba.shape[2] == 3:
        rgba = np.concatenate([rgba, np.ones_like(rgba[..., :1])], axis=2)
    return rgba


def _reduced(image: Image.Image, max_side: int) -> Image.Image:
    """The longer side becomes ``max_side``; Pillow resizes RGBA premultiplied, so colours hidden by alpha do not bleed."""
    scale = max_side / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ORIENTATION_TAG, 1))
    except DECODER_ERRORS:
        return None  # damaged metadata does not make the picture unreadable


def _from_array(array: NDArray[np.generic], label: str) -> Floats:
    """(H, W[, C]) numbers -> (H, W, 4) float32 in [0, 1]."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise InputImageError(f"{label} has shape {array.shape}", "Give (H, W), or (H, W, C) with 1 to 4 channels.")
    height, width = array.shape[:2]
    if height * width > MAX_PIXELS:
        raise _too_large(label, f"{width} x {height} pixels")
    if min(height, width) < MIN_SIDE:
        raise InputImageError(f"{label} is too small ({width} x {height} pixels)", f"Each side needs at least {MIN_SIDE} pixels.")
    if array.dtype in (np.uint8, np.uint16):
        values = array.astype(np.float32) / (255.0 if array.dtype == np.uint8 else 65535.0)
    elif array.dtype == np.bool_:
        values = array.astype(np.float32)
    elif np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float32)
        if not np.isfinite(values).all() or values.min() < -0.01 or values.max() > 1.01:
            raise InputImageError(f"{label} of floats leaves [0, 1]", "Scale it to [0, 1], or give uint8.")
        values = values.clip(0, 1)
    else:
        raise InputImageError(f"{label} has type {array.dtype}", "Give uint8, uint16, bool, or float in [0, 1].")
    channels = values.shape[2]
    color = values[..., :3] if channels >= 3 else values[..., :1].repeat(3, axis=2)
    alpha = values[..., -1:] if channels in (2, 4) else np.ones_like(values[..., :1])
    return np.concatenate([color, alpha], axis=2)


def _check_content(rgba: Floats, label: str) -> None:
    alpha = rgba[..., 3]
    if float(alpha.max()) < 0.1:
        raise InputImageError(f"{label} is fully transparent", "Give a picture with an object in it.")
    if float(alpha.min()) > 0.98 and float(np.ptp(rgba[..., :3], axis=(0, 1)).max()) < 2.5 / 255:
        raise InputImageError(f"{label} is one single colour, with nothing to see in it", "Give a picture with an object in it.")
