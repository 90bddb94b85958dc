"""What a z-buffer of numpy or numba holds; the torch rasteriser's, which carries gradients, is its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.types import Bools, Floats, Ints


@dataclass
class Fragments:
    """What a z-buffer holds.

    Attributes:
        face_ids: (H, W) int32, -1 where nothing is seen.
        barycentrics: (H, W, 3) float32, perspective-correct weights of the face's corners; 0 where nothing is
            seen.
        depth: (H, W) float32 along the viewing axis, world units, inf where nothing is seen.
    """

    face_ids: Ints
    barycentrics: Floats
    depth: Floats

    @property
    def mask(self) -> Bools:
        """(H, W) where something is seen."""
        return np.asarray(self.face_ids >= 0)
