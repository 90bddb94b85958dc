"""Textures from bytes, refused by their header when they are too large."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from geco.data.objects.folder import Folder
from geco.data.objects.refusal import ObjectError, Reason
from geco.types import Bytes

# What models are textured with; Pillow would also open formats that run other programs (EPS) or hold many
# pages.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF")
_ROWS = 1 << 22  # pixels of wide modes that are reduced at a time


class Pictures:
    """Decodes the textures of one object, within its limits."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.name, self.limits = folder, folder.name, folder.limits
        self.left = self.limits.texture_pixels_total
        self.bytes = 0
        self.decoded: dict[str, Bytes] = {}

    def decode(self, data: bytes | memoryview) -> Bytes:
        """(H, W, 4) uint8 sRGB, straight alpha.

        Raises:
            ObjectError: broken, unsupported or texture-too-large (from the header, before a pixel is
                decoded).
        """
        self.folder.tick()
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                self._admit(picture.width, picture.height, len(data))
                return _rgba(picture)
        except (ObjectError, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise ObjectError(Reason.TEXTURE_TOO_LARGE, f"{self.name}: {error}") from error
        except UnidentifiedImageError as error:
            raise ObjectError(
                Reason.UNSUPPORTED, f"{self.name}: a texture that is none of {', '.join(FORMATS)}"
            ) from error
        except Exception as error:  # a foreign decoder on hostile bytes raises anything
            raise ObjectError(Reason.BROKEN, f"{self.name}: a broken texture ({str(error)[:200]})") from error

    def decode_file(self, name: str) -> Bytes:
        """As :meth:`decode`, a file of the object's folder, decoded once."""
        if name not in self.decoded:
            self.decoded[name] = self.decode(self.folder.read(name))
        return self.decoded[name]

    def _admit(self, width: int, height: int, count: int) -> None:
        pixels, limits = width * height, self.limits
        if pixels > limits.texture_pixels:
            raise ObjectError(
                Reason.TEXTURE_TOO_LARGE, f"{self.name}: a texture of {width} x {height} pixels"
            )
        self.left -= pixels
        self.bytes += count
        used = limits.texture_pixels_total - self.left
        if self.left < 0:
            raise ObjectError(Reason.TEXTURE_TOO_LARGE, f"{self.name}: textures of {used} pixels in all")
        if used > limits.texture_pixels_total // 2 and used > limits.texture_sparseness * self.bytes:
            problem = f"{self.name}: textures of {used} pixels in {self.bytes} bytes"
            raise ObjectError(Reason.TEXTURE_TOO_LARGE, problem, "Plain ones can be smaller.")


def _rgba(picture: Image.Image) -> Bytes:
    """Eight bits a channel; Pillow's own conversion clips wide greys instead of scaling them."""
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        grey = _narrowed(np.asarray(picture))
        return np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    # An RGBA picture needs no second copy of its pixels.
    return np.array(picture if picture.mode == "RGBA" else picture.convert("RGBA"))


def _narrowed(wide: NDArray[Any]) -> Bytes:
    """Grey of 16 bits (0 to 65535) or floats (0 to 1) as bytes, a few rows at a time."""
    narrow = np.empty(wide.shape, np.uint8)
    step = max(_ROWS // max(wide.shape[1], 1), 1)
    scale = 255.0 if wide.dtype.kind == "f" else 1 / 257
    for row in range(0, len(wide), step):
        rows = np.nan_to_num(wide[row : row + step].astype(np.float32)) * scale
        narrow[row : row + step] = np.clip(np.rint(rows), 0, 255)
    return narrow
