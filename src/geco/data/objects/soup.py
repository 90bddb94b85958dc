"""What every reader hands over: triangles by material, in the file's own coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.types import Floats

Up = Literal["y", "z"]


@dataclass
class Part:
    """Triangles of one material.

    Attributes:
        positions: (V, 3) file coordinates, float32 or float64.
        faces: (F, 3) integer indices into ``positions``.
        uvs: (V, 2) glTF texture coordinates, origin top-left.
        colors: (V, 3) sRGB in [0, 1], multiplied with the texture.
        material: index into the soup's textures.
    """

    positions: NDArray[Any]
    faces: NDArray[Any]
    uvs: Floats
    colors: Floats
    material: int


@dataclass
class Soup:
    """All parts of a file.

    Attributes:
        up: the axis that this format points upwards.
        textures: (H, W, 4) uint8 sRGB, straight alpha, one a material.
        cutoffs: one a material, see ``TexturedObject``.
        colored: whether anything in the file says a colour.
    """

    up: Up
    parts: list[Part] = field(default_factory=list)
    textures: list[NDArray[np.uint8]] = field(default_factory=list)
    cutoffs: list[float] = field(default_factory=list)
    colored: bool = False

    def add_material(self, texture: NDArray[np.uint8] | None = None, cutoff: float = 0.0) -> int:
        """Its index; without a picture it is one white texel."""
        self.textures.append(np.full((1, 1, 4), 255, np.uint8) if texture is None else texture)
        self.cutoffs.append(cutoff)
        return len(self.textures) - 1
