"""Materials of OBJ files: the diffuse colour or picture, and holes where the picture is its own mask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.folder import Folder
from geco.data.objects.pictures import Pictures

MASK_CUTOFF = 0.5  # as glTF's default
# Options of a map statement: those followed by two words, by one to three numbers, all others by one word
# (Wavefront, Object Files MTL specification, "Options for texture map statements").
_PAIRS = ("-mm",)
_VECTORS = ("-o", "-s", "-t")  # one to three numbers


@dataclass
class Finish:
    """One material.

    Attributes:
        color: Kd, sRGB in [0, 1], or None.
        picture: the file of map_Kd as it is named, or None.
        mask: the file of map_d.
        beside: folder of the library.
    """

    color: tuple[float, ...] | None = None
    picture: str | None = None
    mask: str | None = None
    beside: Path = field(default_factory=Path)

    @property
    def colored(self) -> bool:
        """Whether it says a colour."""
        return self.color is not None or self.picture is not None

    @property
    def tint(self) -> tuple[float, ...]:
        """(3,) what is multiplied with the picture: white where there is one, because exporters leave any Kd beside it."""
        return self.color if self.color is not None and self.picture is None else (1.0, 1.0, 1.0)

    def texture(self, folder: Folder, pictures: Pictures) -> tuple[NDArray[np.uint8] | None, float]:
        """The picture and the alpha below which it has holes; raises ObjectError where it is missing or too large."""
        if self.picture is None:
            return None, 0.0
        decoded = pictures.decode_file(folder, folder.find(self.picture, self.beside))
        return decoded, MASK_CUTOFF if self.mask == self.picture else 0.0


def read_mtl(data: bytes, path: Path) -> dict[str, Finish]:
    """Materials by name; raises ValueError for colours that are no numbers."""
    found: dict[str, Finish] = {}
    current = Finish()
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        match word.lower():
            case "newmtl":
                current = found[rest] = Finish(beside=path.parent)
            case "kd" if rest and rest.split()[0] not in ("spectral", "xyz"):
                numbers = [float(value) for value in rest.split()[:3]]
                current.color = tuple(min(max(value, 0.0), 1.0) for value in (numbers * 3 if len(numbers) == 1 else numbers))
                if len(current.color) != 3:
                    raise ValueError("a Kd of two numbers")
            case "map_kd":
                current.picture = _file_of(rest)
            case "map_d":
                current.mask = _file_of(rest)
    return found


def _file_of(text: str) -> str | None:
    """The file name of a map statement, which may hold spaces, behind its options."""
    words = text.split(" ")
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option in _VECTORS:
            for _ in range(3):
                if len(words) > 1 and _is_number(words[0]):
                    words.pop(0)
        else:
            del words[: 2 if option in _PAIRS else 1]
    return " ".join(words).strip() or None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
