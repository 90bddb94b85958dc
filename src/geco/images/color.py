"""Pillow modes and colour profiles -> 8-bit sRGB, with alpha where there is one."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from geco.errors import InputImageError


def to_rgba8(image: Image.Image, max_side: int) -> Image.Image:
    """Any 8-bit Pillow mode -> RGB, or RGBA where something is transparent, in sRGB.

    Large pictures without transparency are reduced to twice ``max_side`` first, in their own mode, so that the colour
    conversion works on fewer pixels.
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("RGB", "L", "CMYK", "YCbCr") and "transparency" not in image.info and max(image.size) >= 4 * max_side:
        image = image.reduce(max(image.size) // (2 * max_side))
    alpha: Image.Image | None = None
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA") if image.mode == "PA" or "transparency" in image.info else image.convert("RGB")
    if image.mode in ("RGBA", "LA"):
        alpha = image.getchannel("A")
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    image = _to_srgb(image, profile)
    if alpha is not None and alpha.getextrema()[0] != 255:
        image.putalpha(alpha)
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colour conversion by the embedded profile, or by Pillow's own formulas without (or with a damaged) one."""
    if image.mode == "LAB":
        # Pillow has no formula for LAB; LittleCMS takes it with a standard D50 profile.
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        converted = ImageCms.applyTransform(image, transform)
        if converted is None:
            raise ValueError("the LAB colours cannot be converted")
        return converted
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged or foreign profile: the numbers as they are beat no picture
    return image if image.mode == "RGB" else image.convert("RGB")


def wide_to_unit(values: NDArray[np.generic], transparent: object, label: str) -> NDArray[np.float32]:
    """(H, W) of a 16-bit, 32-bit integer or float picture -> (H, W, 4) float32 grey in [0, 1].

    Integers beyond 8 bits are 16-bit samples (PNG, TIFF); larger ones, and floats above 1, are scaled by the smallest
    of 255, 65535 and their own maximum that holds them, because neither mode says its range.

    Raises:
        InputImageError: not a finite number in it.
    """
    grey = values.astype(np.float32)
    finite = np.isfinite(grey)
    if not finite.any():
        raise InputImageError(f"{label} holds no finite number", "Give a picture with an object in it.")
    highest = float(grey[finite].max())
    if values.dtype == np.uint16:
        full = 65535.0
    elif np.issubdtype(values.dtype, np.floating) and highest <= 1.0:
        full = 1.0
    else:
        full = next((limit for limit in (255.0, 65535.0) if highest <= limit), highest)
    grey = np.where(finite, grey / np.float32(full), 0).clip(0, 1)
    alpha = (values != transparent).astype(np.float32) if isinstance(transparent, int) else np.ones_like(grey)
    return np.stack([grey, grey, grey, alpha], axis=2).astype(np.float32)
