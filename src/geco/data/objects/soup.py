"""What every reader hands over: triangles by material, in the file's own coordinates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geco.types import Bytes, Floats

Up = Literal["y", "z"]
ALL_HOLES = 2.0  # a cutoff that no texel's alpha reaches
MASK_CUTOFF = 0.5  # glTF 2.0, material.alphaCutoff's default; other formats name none
FAINTEST = 1 / 255  # the smallest alpha that is seen: below, eight bits round it to nothing


@dataclass
class SoupPart:
    """Triangles of one material.

    Attributes:
        positions: (V, 3) file coordinates, float32 or float64.
        faces: (F, 3) integer indices into ``positions``.
        uvs: (V, 2) glTF texture coordinates, origin top-left.
        colors: (V, 3) sRGB in [0, 1], multiplied with the texture.
        material: index into the soup's textures.
        alphas: (V,) in [0, 1], multiplied with the texture's; None: all 1.
    """

    positions: NDArray[Any]
    faces: NDArray[Any]
    uvs: Floats
    colors: Floats
    material: int
    alphas: Floats | None = None


@dataclass
class Soup:
    """All parts of a file.

    Attributes:
        up: the axis that this format points upwards.
        textures: (H, W, 4) uint8 sRGB, straight alpha, one a material.
        cutoffs: one a material, see ``TexturedObject``.
        colored: whether anything in the file says a colour.
        notes: what was read otherwise than the file says it, see ``TexturedObject``.
    """

    up: Up
    parts: list[SoupPart] = field(default_factory=list)
    textures: list[Bytes] = field(default_factory=list)
    cutoffs: list[float] = field(default_factory=list)
    colored: bool = False
    notes: Counter[str] = field(default_factory=Counter)

    def add_material(self, texture: Bytes | None = None, cutoff: float = 0.0) -> int:
        """Its index; without a picture it is one white texel."""
        self.textures.append(np.full((1, 1, 4), 255, np.uint8) if texture is None else texture)
        self.cutoffs.append(cutoff)
        return len(self.textures) - 1


def blended(alpha: float) -> float:
    """The cutoff of a blended surface of this alpha: a texel is a hole where the product is never seen."""
    return min(FAINTEST / alpha, ALL_HOLES) if alpha > 0 else ALL_HOLES
