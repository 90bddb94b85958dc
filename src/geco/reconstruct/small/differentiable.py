"""The small reconstructor's surface as a mesh that carries gradients: what Stage II renders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.reconstruct.small.model import SceneFeatures, SmallReconstructor
from geco.reconstruct.small.surface import fields_of

# smallest distance on the grid's border, where nothing may cross, or the mesh would be open there
BORDER = 1e-3


@dataclass
class SoftMesh:
    """One object's surface.

    Attributes:
        vertices: (V, 3) world units, with gradients to the network.
        faces: (F, 3) counter-clockwise seen from outside.
        color: surface points (N, 3) -> sRGB (N, 3), with gradients to the network and not to the points.
        sdf: (N,) the field on the grid's vertices, for regularisers.
    """

    vertices: Tensor
    faces: Tensor
    color: Callable[[Tensor], Tensor]
    sdf: Tensor


def soft_mesh(model: SmallReconstructor, features: SceneFeatures, resolution: int) -> SoftMesh:
    """Extract the surface of one object.

    The cubes that it crosses are found without gradients; the field is then asked again on their corners
    alone.

    Args:
        model: the network. features: of one object (batch 1), with their graph.
        resolution: cubes a side.

    Raises:
        MeshError: nothing is inside.
    """
    grid = fields_of(model, features).grid(resolution)
    device = features.volume.device
    corners = torch.from_numpy(grid.vertices).to(device)
    sdf = model.sdf(features, corners[None])[0]
    on_border = corners.abs().amax(dim=1) >= model.config.half_extent - 1e-6
    sdf = torch.where(on_border, sdf.clamp(min=BORDER), sdf)
    vertices, faces, _ = FlexiCubes()(corners, sdf, torch.from_numpy(grid.cubes).to(device))

    def color(points: Tensor) -> Tensor:
        return model.color(features, points.detach()[None])[0]

    return SoftMesh(vertices, faces, color, sdf)
