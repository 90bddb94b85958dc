"""Meshes, grids and texels as tensors on one device; the numpy types of the same names hold the same
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from geco.mesh.types import Mesh
from geco.on_device import waits


def exact(device: torch.device) -> torch.dtype:
    """The widest float of a device: what decides on which side of an edge a point lies is computed in it."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass
class DeviceMesh:
    """:class:`geco.mesh.types.Mesh` on a device.

    Attributes:
        vertices: (V, 3) float32 world units.
        faces: (F, 3) int64.
        normals: (V, 3) float32, or None. uvs: (V, 2) float32, or None. texture: (H, W, 3) uint8, or None.
        colors: (V, 3) float32 in [0, 1], or None.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor | None = None
    uvs: Tensor | None = None
    texture: Tensor | None = None
    colors: Tensor | None = None

    @classmethod
    def of(cls, mesh: Mesh, device: torch.device | str) -> DeviceMesh:
        """A mesh of the host."""
        parts = (mesh.vertices, mesh.faces, mesh.normals, mesh.uvs, mesh.texture, mesh.colors)
        tensors = [None if part is None else waits.sent(part, device) for part in parts]
        vertices, faces = tensors[0], tensors[1]
        assert vertices is not None and faces is not None
        return cls(vertices, faces.long(), *tensors[2:])

    def on_host(self, name: str) -> Mesh:
        """The mesh as numpy arrays; ``name`` says what for."""

        def brought(part: Tensor | None) -> Any:
            return None if part is None else waits.array(part, name)

        return Mesh(
            waits.array(self.vertices, name),
            waits.array(self.faces.int(), name),
            brought(self.normals),
            brought(self.uvs),
            brought(self.texture),
            brought(self.colors),
        )

    def with_(self, **changes: Any) -> DeviceMesh:
        """A copy with some attributes replaced."""
        return replace(self, **changes)

    @property
    def device(self) -> torch.device:
        return self.vertices.device

    def corners(self) -> tuple[Tensor, Tensor, Tensor]:
        """The positions of the three corners of each face, (F, 3) each, in the widest float."""
        wide = self.vertices.to(exact(self.device))
        a, b, c = self.faces.unbind(dim=1)
        return wide[a], wide[b], wide[c]

    def mixed(self, values: Tensor, faces: Tensor, weights: Tensor) -> Tensor:
        """Vertex attributes (V, C) at points given by face (N,) and barycentric weights (N, 3); (N, C)
        float32.
        """
        corners = self.faces[faces]
        parts = [values[corners[:, k]] * weights[:, k, None] for k in range(3)]
        return parts[0] + parts[1] + parts[2]
