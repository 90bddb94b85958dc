"""The voxel grid that every FlexiCubes here reads, whatever made it. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

from geco.types import Floats, Ints


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
    cubes: Ints
    beta: Floats | None = None
    alpha: Floats | None = None
    gamma: Floats | None = None
    weight_scale: float = 0.99
