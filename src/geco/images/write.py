"""Pictures to files: whole or not at all, each with its mark (:mod:`geco.marks`)."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from geco.errors import OutputError
from geco.files import atomic_write
from geco.images.color import to_bytes
from geco.images.sheet import views_to_sheet
from geco.types import Floats

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}
_DESCRIPTION = 0x010E  # EXIF "ImageDescription": WebP has no comments of its own


def save_picture(image: Image.Image, path: str | os.PathLike[str], mark: str, **options: Any) -> None:
    """Write a picture in the format of its suffix.

    Args:
        image: what to write.
        path: ends in one of :data:`FORMATS`.
        mark: from :func:`geco.marks.mark_text`.
        options: of Pillow's encoder.

    Raises:
        OutputError: another suffix, or a place that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(f"{os.fspath(path)}: not a picture format", f"Use one of {' '.join(FORMATS)}.")
    atomic_write(path, encode_picture(image, FORMATS[suffix], mark, **options))


def save_views(views: Floats, path: str | os.PathLike[str], mark: str) -> None:
    """Write six views (6, S, S, 3) in [0, 1] as one sheet; arguments and errors as :func:`save_picture`."""
    sheet = to_bytes(views_to_sheet(views))
    save_picture(Image.fromarray(sheet), path, mark)


def encode_picture(image: Image.Image, format: str, mark: str, **options: Any) -> bytes:
    """The bytes of a picture in Pillow's format PNG, JPEG, WEBP or GIF, with the mark in it ("": none)."""
    buffer = io.BytesIO()
    image.save(buffer, format, **_note(format, mark), **options)
    return buffer.getvalue()


def _note(format: str, mark: str) -> dict[str, Any]:
    if not mark:
        return {}
    if format == "PNG":
        note = PngInfo()
        note.add_text("Comment", mark)
        return {"pnginfo": note}
    if format == "WEBP":
        exif = Image.Exif()
        exif[_DESCRIPTION] = mark
        return {"exif": exif}
    return {"comment": mark.encode("ascii")}
