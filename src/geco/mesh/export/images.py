"""Textures to compressed bytes. Defaults chosen for time: see TEXTURE_FORMATS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from geco.errors import ConfigError
from geco.images.write import encode_picture
from geco.types import Bytes


@dataclass(frozen=True)
class TextureFormat:
    """How a texture is stored: its media type, its file suffix, and the quality (1 to 100) used
    when none is asked for.
    """

    name: str
    media_type: str
    suffix: str
    quality: int


# Measured on one core at 1024 x 1024 (a photo): JPEG 92 at full colour resolution 6 ms, 190 kB, 47.7 dB; PNG
# level 1 56 ms, 811 kB (level 6: 171 ms, 741 kB); WebP 90 method 0 32 ms, 112 kB, 43.8 dB (method 4: 89 ms,
# 93 kB).
TEXTURE_FORMATS = {
    "jpeg": TextureFormat("jpeg", "image/jpeg", ".jpg", 92),
    "png": TextureFormat("png", "image/png", ".png", 100),
    "webp": TextureFormat("webp", "image/webp", ".webp", 90),
}


def texture_format(name: str) -> TextureFormat:
    """The texture format of that name ("jpg" is "jpeg"); raises :class:`ConfigError` naming the
    known ones.
    """
    key = "jpeg" if name.lower() == "jpg" else name.lower()
    if key not in TEXTURE_FORMATS:
        raise ConfigError(
            f"no texture format is called {name!r}", f"Known formats: {', '.join(TEXTURE_FORMATS)}."
        )
    return TEXTURE_FORMATS[key]


def encode_texture(texture: Bytes, kind: TextureFormat, quality: int | None = None, mark: str = "") -> bytes:
    """Compress a texture.

    Args:
        texture: (H, W, 3) uint8 sRGB.
        kind: from :func:`texture_format`.
        quality: 1 to 100 (None: the format's own). PNG is lossless and ignores it.
        mark: what the file says about itself (:mod:`geco.marks`).
    """
    quality = kind.quality if quality is None else quality
    if not 1 <= quality <= 100:
        raise ConfigError(
            f"texture quality {quality} is not between 1 and 100",
            f"The default for {kind.name} is {kind.quality}.",
        )
    picture = Image.fromarray(np.ascontiguousarray(texture))
    if kind.name == "png":
        return encode_picture(picture, "PNG", mark, compress_level=1)
    if kind.name == "webp":
        return encode_picture(picture, "WEBP", mark, quality=quality, method=0)
    # Full colour resolution (4:4:4): chart borders are colour edges, and halved chroma bleeds across them.
    return encode_picture(picture, "JPEG", mark, quality=quality, subsampling=0)
