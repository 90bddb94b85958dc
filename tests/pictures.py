"""Pictures that tests draw themselves."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def ball_picture(size: int) -> Image.Image:
    """A shaded, two-coloured ball on transparency; (size, size) RGBA."""
    v, u = np.mgrid[0:size, 0:size]
    x, y = (u + 0.5) / size * 2.4 - 1.2, 1.2 - (v + 0.5) / size * 2.4
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    light = 0.35 + 0.65 * np.clip(0.3 * x + 0.6 * y + 0.75 * z, 0, 1)
    color = np.where((y > 0.1)[..., None], [0.85, 0.25, 0.15], [0.95, 0.85, 0.3]) * light[..., None]
    rgb = np.where(inside[..., None], color, 1.0)
    rgba = np.concatenate([rgb, inside[..., None]], axis=-1)
    return Image.fromarray(np.round(np.clip(rgba, 0, 1) * 255).astype(np.uint8), "RGBA")


def disc_png(color: tuple[int, int, int]) -> bytes:
    """A disc of one colour on white, 64 pixels a side, as a PNG."""
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((12, 12, 52, 52), fill=color)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
