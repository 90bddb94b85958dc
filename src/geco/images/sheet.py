"""Six views as one picture of three rows and two columns, as Zero123++ lays them out; and
labelled contact sheets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geco.errors import ConfigError
from geco.images.color import to_bytes
from geco.types import Bytes

ROWS, COLUMNS = 3, 2  # Zero123++ (arXiv 2310.15110), section 2.2: view = row * 2 + column


def views_to_sheet(views: NDArray[Any]) -> NDArray[Any]:
    """(6, H, W, C) -> (3H, 2W, C), any number type."""
    if views.ndim != 4 or len(views) != ROWS * COLUMNS:
        raise ConfigError(f"views of shape {views.shape} are no sheet", "Give (6, H, W, C).")
    _, height, width, channels = views.shape
    grid = views.reshape(ROWS, COLUMNS, height, width, channels)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(
        ROWS * height, COLUMNS * width, channels
    )


def sheet_to_views(sheet: NDArray[Any]) -> NDArray[Any]:
    """(3H, 2W, C) -> (6, H, W, C), any number type."""
    if sheet.ndim != 3 or sheet.shape[0] % ROWS or sheet.shape[1] % COLUMNS:
        raise ConfigError(
            f"a sheet of shape {sheet.shape} does not divide into 3 x 2 views", "Give (3H, 2W, C)."
        )
    height, width, channels = sheet.shape[0] // ROWS, sheet.shape[1] // COLUMNS, sheet.shape[2]
    grid = sheet.reshape(ROWS, height, COLUMNS, width, channels)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(
        ROWS * COLUMNS, height, width, channels
    )


Thumb = NDArray[Any] | Image.Image | None


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Thumb]]], columns: Sequence[str] = (), cell: int = 128
) -> Image.Image:
    """A table of thumbnails: one labelled row a subject, one labelled column a kind.

    Args:
        rows: a label and its pictures: (H, W, 1|3|4) or (H, W), uint8 or float in [0, 1]; alpha is shown over
            a checkerboard; None leaves the cell empty.
        columns: labels of the columns.
        cell: pixels of a thumbnail's side.
    """
    font = ImageFont.load_default()
    margin, line = 4, 14
    across = max((len(pictures) for _, pictures in rows), default=0)
    across = max(across, len(columns), 1)
    head = line if columns else 0
    sheet = Image.new(
        "RGB",
        (across * (cell + margin) + margin, head + len(rows) * (cell + line + margin) + margin),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(columns):
        draw.text((margin + column * (cell + margin), 1), label, fill="black", font=font)
    for row, (label, pictures) in enumerate(rows):
        top = head + margin + row * (cell + line + margin)
        draw.text((margin, top), label, fill="black", font=font)
        for column, picture in enumerate(pictures):
            if picture is None:
                continue
            thumbnail = _thumbnail(picture, cell)
            left = margin + column * (cell + margin) + (cell - thumbnail.width) // 2
            sheet.paste(thumbnail, (left, top + line + (cell - thumbnail.height) // 2))
    return sheet


def _thumbnail(picture: NDArray[Any] | Image.Image, side: int) -> Image.Image:
    """RGB, longer side ``side``; enlarged with hard pixels, so that small views are seen as they are."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(_to_uint8(picture))
    scale = side / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    if image.mode != "RGB" and image.mode != "L":
        image = image.convert("RGBA")
    image = image.resize(size, Image.Resampling.BICUBIC if scale < 1 else Image.Resampling.NEAREST)
    if image.mode != "RGBA":
        return image.convert("RGB")
    y, x = np.indices((size[1], size[0])) // 8
    board = Image.fromarray(np.where((x + y) % 2, 205, 235).astype(np.uint8)).convert("RGBA")
    return Image.alpha_composite(board, image).convert("RGB")


def _to_uint8(picture: NDArray[Any]) -> Bytes:
    if picture.dtype != np.uint8:
        picture = to_bytes(np.nan_to_num(picture.astype(np.float32)))
    return picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
