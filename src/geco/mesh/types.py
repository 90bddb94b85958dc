"""The one mesh type that every room below the pipeline speaks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from geco.types import Bytes, Floats, Ints


@dataclass
class Mesh:
    """A triangle mesh in world space (z up, the input camera on the +x side), counter-clockwise faces seen
    from outside.

    Attributes:
        vertices: (V, 3) float32, world units (the object lies within [-1, 1]).
        faces: (F, 3) int32 vertex indices.
        normals: (V, 3) float32 unit vectors, or None.
        uvs: (V, 2) float32 in [0, 1], origin at the top-left of the texture (glTF's), or None. A vertex on a
            seam appears once a chart.
        texture: (H, W, 3) uint8 sRGB, or None.
        normal_map: (H, W, 3) uint8 normals in the tangent space of :mod:`geco.mesh.normal_map`, or None.
        beside: further meshes of the same object by what is put behind its name in files: coarser levels
            (``_LOD1`` …), a collision shape (``_collision``).
        colors: (V, 3) float32 in [0, 1] sRGB, or None.
    """

    vertices: Floats
    faces: Ints
    normals: Floats | None = None
    uvs: Floats | None = None
    texture: Bytes | None = None
    colors: Floats | None = None
    normal_map: Bytes | None = None
    beside: dict[str, Mesh] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vertices = np.ascontiguousarray(self.vertices, np.float32).reshape(-1, 3)
        self.faces = np.ascontiguousarray(self.faces, np.int32).reshape(-1, 3)

    def with_(self, **changes: Any) -> Mesh:
        """A copy with some attributes replaced."""
        return replace(self, **changes)

    @property
    def triangles(self) -> Floats:
        """(F, 3, 3) corner positions."""
        return self.vertices[self.faces]

    @property
    def bounds(self) -> Floats:
        """(2, 3) smallest and largest coordinates."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def face_normals(self) -> Floats:
        """(F, 3) unnormalised: length is twice the area."""
        a, b, c = self.triangles.transpose(1, 0, 2)
        return np.cross(b - a, c - a)
