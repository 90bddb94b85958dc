"""Pillow modes and colour profiles -> 8-bit sRGB, with alpha where there is one; pictures over white, floats
as bytes.

Large pictures are reduced first, strip by strip and in their own mode, so that memory follows what is kept,
not what came in.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from geco.errors import InputImageError
from geco.types import Bytes, Floats

STRIP_PIXELS = 1_000_000  # converted at a time: a few megabytes
# Formats whose fourth byte is often there for alignment only: where it is 0 in every pixel, nobody meant
# transparency.
UNUSED_ALPHA = ("BMP", "TGA")


def to_bytes(values: NDArray[np.floating]) -> Bytes:
    """Numbers in [0, 1], clipped to it, -> the nearest of 256 levels, the same shape."""
    levels = np.clip(values, 0, 1)
    levels *= 255
    return np.rint(levels, out=levels).astype(np.uint8)


def over_white(rgba: Bytes | Floats) -> Floats:
    """(..., 4) straight alpha, 0 … 255 or in [0, 1] -> (..., 3) float32 in [0, 1] over white."""
    values = rgba.astype(np.float32)
    if rgba.dtype == np.uint8:
        values /= np.float32(255)
    alpha = values[..., 3:]
    return np.asarray(values[..., :3] * alpha + (1 - alpha), np.float32)


def to_rgba8(image: Image.Image, max_side: int, label: str) -> Image.Image:
    """Any Pillow mode -> RGB, or RGBA where something is transparent, in sRGB; no side above four times
    ``max_side``.

    Raises:
        InputImageError: not a finite number in it. Whatever Pillow raises on damaged data.
    """
    if is_wide(image.mode):
        return wide_to_8(image, max_side, label)
    profile = image.info.get("icc_profile")
    if image.format in UNUSED_ALPHA and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")
    factor = max(image.size) // (2 * max_side)
    image = _shrunk(image, factor) if factor > 1 else _plain_mode(image)
    alpha: Image.Image | None = None
    if image.mode in ("RGBA", "LA"):
        alpha = image.getchannel("A")
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    image = _to_srgb(image, profile)
    if alpha is not None and alpha.getextrema()[0] != 255:
        image.putalpha(alpha)
    return image


def is_wide(mode: str) -> bool:
    """Whether a pixel is one number of more than eight bits."""
    return mode in ("I", "F") or mode.startswith("I;16")


def wide_to_8(image: Image.Image, max_side: int, label: str) -> Image.Image:
    """A 16-bit, 32-bit integer or float picture -> RGB, or RGBA where one of its values stands for
    transparency.

    Integers beyond 8 bits are 16-bit samples (PNG, TIFF); larger ones, and floats above 1, are scaled by the
    smallest of 255, 65535 and their own maximum that holds them, because neither mode says its range.

    Raises:
        InputImageError: not a finite number in it.
    """
    factor = max(max(image.size) // (2 * max_side), 1)
    key = image.info.get("transparency")
    full = _full_scale(image, factor, label)
    grey, alpha = [], []
    for strip in _strips(image, factor):
        values = np.asarray(strip)
        unit = np.where(np.isfinite(values), values * np.float64(1 / full), 0).clip(0, 1).astype(np.float32)
        opaque = (values != key).astype(np.float32) if isinstance(key, int) else np.ones_like(unit)
        share = _block_means(opaque, factor)
        grey.append(to_bytes(_block_means(unit * opaque, factor) / np.maximum(share, 1e-6)))
        alpha.append(to_bytes(share))
    picture = Image.fromarray(np.concatenate(grey)).convert("RGB")
    if isinstance(key, int):
        picture.putalpha(Image.fromarray(np.concatenate(alpha)))
    return picture


def _full_scale(image: Image.Image, factor: int, label: str) -> float:
    """The value that is white."""
    highest = -np.inf
    for strip in _strips(image, factor):
        values = np.asarray(strip)
        finite = values[np.isfinite(values)]
        highest = max(highest, float(finite.max())) if finite.size else highest
    if highest == -np.inf:
        raise InputImageError(f"{label} holds no finite number", "Give a picture with an object in it.")
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode == "F" and highest <= 1.0:
        return 1.0
    return next((limit for limit in (255.0, 65535.0) if highest <= limit), highest)


def _strips(image: Image.Image, factor: int) -> Iterator[Image.Image]:
    """Whole rows at a time, as many as make whole blocks of ``factor``."""
    rows = factor * max(STRIP_PIXELS // (image.width * factor), 1)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _block_means(values: Floats, factor: int) -> Floats:
    """(H, W) -> the means of blocks of ``factor``; incomplete ones at the right and the bottom
    repeat the edge.
    """
    height, width = values.shape
    if factor == 1:
        return values
    values = np.pad(values, ((0, -height % factor), (0, -width % factor)), mode="edge")
    blocks = values.reshape(len(values) // factor, factor, values.shape[1] // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _shrunk(image: Image.Image, factor: int) -> Image.Image:
    """The means of blocks of ``factor``, in a mode that has means."""
    pieces = [_plain_mode(strip).reduce(factor) for strip in _strips(image, factor)]
    whole = Image.new(pieces[0].mode, (pieces[0].width, sum(piece.height for piece in pieces)))
    top = 0
    for piece in pieces:
        whole.paste(piece, (0, top))
        top += piece.height
    return whole


def _plain_mode(image: Image.Image) -> Image.Image:
    """Palettes, single bits, angles and premultiplied colours as values of which a mean may be taken."""
    if image.mode in ("RGBa", "La"):
        return image.convert("RGBA" if image.mode == "RGBa" else "LA")
    clear = image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"
    if clear or image.mode == "PA" or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("P", "HSV"):
        return image.convert("RGB")
    return image.convert("L") if image.mode == "1" else image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colour conversion by the embedded profile, or by Pillow's own formulas without (or with a
    damaged) one.
    """
    srgb = ImageCms.createProfile("sRGB")
    if image.mode == "LAB":
        # Pillow has no formula for LAB; LittleCMS takes it with a standard D50 profile.
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), srgb, "LAB", "RGB")
        converted = ImageCms.applyTransform(image, transform)
        if converted is None:
            raise ValueError("the LAB colours cannot be converted")
        return converted
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a damaged or foreign profile: the numbers as they are beat no picture
    return image if image.mode == "RGB" else image.convert("RGB")
