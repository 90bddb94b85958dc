"""What a reconstructor gives, whatever network or runtime stands behind it. No torch here: both
runtimes import this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass
class FlexiGrid:
    """A voxel grid ready for FlexiCubes.

    Attributes:
        vertices: (N, 3) float32 grid corners in world units, already deformed.
        sdf: (N,) float32, negative inside.
        cubes: (C, 8) int32 corner indices, x fastest (NV's order); any subset of the grid's cubes.
        beta, alpha, gamma: (C, 12), (C, 8), (C,) float32 raw weights (before tanh and sigmoid), or None for
            ones.
        weight_scale: how far the weights may bend the surface (InstantMesh 0.5, FlexiCubes' default 0.99).
    """

    vertices: Floats
    sdf: Floats
    cubes: NDArray[np.int32]
    beta: Floats | None = None
    alpha: Floats | None = None
    gamma: Floats | None = None
    weight_scale: float = 0.99


class SurfaceFields(Protocol):
    """Answers "what is at this point" in numpy, for one object."""

    @property
    def half_extent(self) -> float:
        """The surface lies within [-half_extent, half_extent]^3, world units."""

    def grid(self, resolution: int) -> FlexiGrid:
        """The surface on a grid of ``resolution`` cubes a side (only the cubes near the surface need be
        there).

        Raises MeshError when nothing is inside.
        """

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""


@runtime_checkable
class DenseFields(SurfaceFields, Protocol):
    """Fields that are a plain signed distance, without deformation or weights, so that they can
    be edited on a grid.
    """

    def dense(self, resolution: int) -> Floats:
        """(R + 1, R + 1, R + 1) signed distance on the grid's vertices, indexed [x, y, z],
        positive all over the border.
        """
