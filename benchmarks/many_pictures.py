"""Many different pictures of a few: mirrored, turned, cut closer or looser, with another light, colour and
contrast; each by its number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from geco.noise import stream

MARGIN, TURN, SHADE = 0.12, 8.0, (0.8, 1.2)  # of the side; degrees; factors of light, colour and contrast
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def originals(folders: Sequence[Path]) -> list[Path]:
    """The pictures of some folders, in order."""
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def make(sources: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """``count`` pictures in ``folder``; what is there stays. The originals come first, as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        path = folder / f"{number:06d}-{source.stem}{source.suffix}"
        if not path.exists():
            varied(source, number // len(sources)).save(path, quality=92)
        made.append(path)
    return made


def varied(source: Path, number: int) -> Image.Image:
    """One variation of a picture; number 0 is itself."""
    with Image.open(source) as opened:
        picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    if not number:
        return picture
    rng = stream(number, "many", source.name)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    corner = tuple(int(value) for value in np.asarray(picture)[0, 0])
    turn = float(rng.uniform(-TURN, TURN))
    picture = picture.rotate(turn, Image.Resampling.BICUBIC, fillcolor=corner)
    margins = rng.uniform(-MARGIN, MARGIN / 4, 4) * min(
        picture.size
    )  # outwards mostly: the object stays whole
    box = (
        int(margins[0]),
        int(margins[1]),
        picture.width - int(margins[2]),
        picture.height - int(margins[3]),
    )
    whole = Image.new(picture.mode, (box[2] - box[0], box[3] - box[1]), corner)
    whole.paste(picture, (-box[0], -box[1]))
    alpha = whole.getchannel("A") if whole.mode == "RGBA" else None
    colours = whole.convert("RGB")
    for change in (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast):
        colours = change(colours).enhance(float(rng.uniform(*SHADE)))
    if alpha is not None:
        colours.putalpha(alpha)
    return colours
