"""The pictures of a report: strips of views, written as their row finishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from geco.images import save_picture
from geco.images.color import to_bytes
from geco.images.filters import resize
from geco.marks import mark_text
from geco.types import Floats

FOLDER = "pictures"
TILE = 128  # pixels of a view in a strip
QUALITY = 88  # of JPEG
SHOWN = 6  # views of a strip of meshes: all of set A, every third or second of set B


def strip_path(report: Path, key: str, column: str, seed: int, part: str) -> Path:
    """Where a row's strip lies. ``views`` and ``A`` are stored without loss: diversity is measured from
    them.
    """
    return report / FOLDER / key / f"{column}-seed{seed}-{part}.{'jpg' if part == 'B' else 'png'}"


def truth_path(report: Path, key: str, part: str) -> Path:
    """Where the ground truth's strip lies; part "input", "A" (without loss, for diversity) or "B"."""
    return report / FOLDER / key / f"truth-{part}.{'png' if part == 'A' else 'jpg'}"


def save_strip(path: Path, views: Floats) -> None:
    """Write pictures (N, S, S, 3) in [0, 1] side by side, each at most ``TILE`` wide; raises OutputError."""
    chosen = views[shown(len(views))]
    size = min(TILE, chosen.shape[1])
    tiles = resized(chosen, size)
    image = Image.fromarray(np.concatenate(list(to_bytes(tiles)), axis=1))
    save_picture(image, path, mark_text("views"), quality=QUALITY)  # PNG, without loss, has no use for it


def load_strip(path: Path) -> Floats:
    """The pictures of a strip again, (N, S, S, 3) in [0, 1]."""
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32) / 255
    return np.stack(np.split(pixels, pixels.shape[1] // pixels.shape[0], axis=1))


def shown(count: int) -> list[int]:
    """Which of ``count`` views a strip shows: at most six, evenly."""
    return list(range(count)) if count <= SHOWN else [index * count // SHOWN for index in range(SHOWN)]


def resized(views: Floats, size: int) -> Floats:
    """(N, S, S, 3) -> (N, size, size, 3), bicubic, widened where it shrinks."""
    if views.shape[1] == size:
        return views
    planes = np.ascontiguousarray(np.moveaxis(views, -1, 1))
    out = np.clip(resize(planes, size, size, Image.Resampling.BICUBIC), 0, 1)
    return np.ascontiguousarray(np.moveaxis(out, 1, -1))
