"""Textures from bytes, refused by their header when they are too large."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from geco.data.objects.folder import Folder
from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason

# What models are textured with; Pillow would also open formats that run other programs (EPS) or hold many pages.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF")


class Pictures:
    """Decodes the textures of one object, within its limits."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self.left = limits.texture_pixels_total
        self.decoded: dict[Path, NDArray[np.uint8]] = {}

    def decode(self, data: bytes | memoryview) -> NDArray[np.uint8]:
        """(H, W, 4) uint8 sRGB, straight alpha.

        Raises:
            ObjectError: broken, unsupported or texture-too-large (from the header, before a pixel is decoded).
        """
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                pixels = picture.width * picture.height
                if pixels > self.limits.texture_pixels:
                    raise ObjectError(
                        Reason.TEXTURE_TOO_LARGE, f"{self.name}: a texture of {picture.width} x {picture.height} pixels"
                    )
                self.left -= pixels
                if self.left < 0:
                    raise ObjectError(
                        Reason.TEXTURE_TOO_LARGE, f"{self.name}: textures of more than {self.limits.texture_pixels_total} pixels"
                    )
                return np.array(picture.convert("RGBA"))
        except Image.DecompressionBombError as error:
            raise ObjectError(Reason.TEXTURE_TOO_LARGE, f"{self.name}: {error}") from error
        except UnidentifiedImageError as error:
            raise ObjectError(Reason.UNSUPPORTED, f"{self.name}: a texture that is none of {', '.join(FORMATS)}") from error
        except (SyntaxError, EOFError) as error:  # Pillow's words for a broken PNG and for a file that ends early
            raise ObjectError(Reason.BROKEN, f"{self.name}: a broken texture ({error})") from error

    def decode_file(self, folder: Folder, path: Path) -> NDArray[np.uint8]:
        """As :meth:`decode`, a file of the object's folder, decoded once."""
        if path not in self.decoded:
            self.decoded[path] = self.decode(folder.read(path))
        return self.decoded[path]
