"""A finished mesh as something to optimise: where its vertices are, and its texture or vertex colours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.data.objects import TexturedObject, load_object
from geco.errors import MeshError
from geco.images.color import to_bytes
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.optimize.surface import laplacian
from geco.render.antialias import antialias
from geco.render.rasterize_torch import rasterize


@dataclass(frozen=True)
class Shown:
    """(..., S, S, 3) over white and (..., S, S) coverage."""

    rgb: Tensor
    mask: Tensor


class TexturedMesh(nn.Module):
    """A mesh that is moved and recoloured.

    Args:
        mesh: with a texture and UVs, or with colours at its vertices.

    Raises:
        MeshError: it has no colours.
    """

    def __init__(self, mesh: Mesh, device: torch.device) -> None:
        super().__init__()
        self.start = mesh
        # Vertices on seams appear once a chart; they must move as one.
        places, where = np.unique(mesh.vertices, axis=0, return_inverse=True)
        self.places = torch.from_numpy(places).to(device)
        self.where = torch.from_numpy(where.reshape(-1)).to(device)
        self.faces = self.where[torch.from_numpy(mesh.faces).long().to(device)]
        self.offsets = nn.Parameter(torch.zeros_like(self.places))
        self.corners: Tensor | None = None
        if mesh.texture is not None and mesh.uvs is not None:
            first = torch.from_numpy(mesh.texture).permute(2, 0, 1).float() / 255
            self.corners = torch.from_numpy(mesh.uvs[mesh.faces]).to(device)  # (F, 3, 2)
        elif mesh.colors is not None:
            first = torch.from_numpy(mesh.colors)
        else:
            raise MeshError("the mesh has neither texture nor colours", "Give a result of GECO.")
        self._colored_faces = torch.from_numpy(mesh.faces).long().to(device)
        self.colors = nn.Parameter(first.to(device).clone())

    def show(self, vertices: Tensor, c2w: Tensor, fov: float, size: int) -> Shown:
        """Cameras (..., 4, 4) look at welded vertices, of :meth:`vertices` or moved for a window."""
        fragments = rasterize(vertices, self.faces, c2w, fov, size)
        seen = fragments.mask
        face, weights = fragments.face_ids[seen], fragments.barycentrics[seen]
        colors = self._colors_at(face, weights)
        rgb = torch.ones(*seen.shape, 3, device=colors.device).masked_scatter(seen[..., None], colors)
        layers = torch.cat([rgb, seen[..., None].to(rgb.dtype)], dim=-1)
        layers = antialias(layers, fragments, vertices, self.faces, c2w, fov)
        return Shown(layers[..., :3], layers[..., 3])

    def vertices(self) -> Tensor:
        """(W, 3) welded, as they are now."""
        return self.places + self.offsets

    def unevenness(self) -> Tensor:
        """How differently neighbours were moved, over the mean edge's square."""
        ends = self.places[self.faces[:, 0]] - self.places[self.faces[:, 1]]
        return laplacian(self.offsets, self.faces).square().sum(1).mean() / ends.square().sum(1).mean()

    @torch.no_grad()
    def mesh(self) -> Mesh:
        """The mesh as it is now, with everything else that it had; its normals are new."""
        vertices = self.vertices()[self.where].cpu().numpy()
        colors = self.colors.clamp(0, 1).cpu().numpy()
        changed: dict[str, Any] = {"normals": vertex_normals(vertices, self.start.faces)}
        if self.corners is not None:
            changed["texture"] = to_bytes(np.ascontiguousarray(colors.transpose(1, 2, 0)))
        else:
            changed["colors"] = colors
        return self.start.with_(vertices=vertices, normal_map=None, beside={}, **changed)

    def _colors_at(self, face: Tensor, weights: Tensor) -> Tensor:
        """(N, 3) at points given by face (N,) and barycentric weights (N, 3)."""
        if self.corners is None:
            return (self.colors[self._colored_faces[face]] * weights[..., None]).sum(dim=1)
        uv = (self.corners[face] * weights[..., None].detach()).sum(dim=1)
        where = (2 * uv - 1)[None, None]
        read = F.grid_sample(self.colors[None], where, align_corners=False, padding_mode="border")
        return read[0, :, 0].T


def read_result(path: Path) -> Mesh:
    """A mesh of ``geco run`` (or another with one texture, or colours) in world space, where it was.

    Raises:
        ObjectError: it cannot be read. MeshError: it has several textures.
    """
    found: TexturedObject = load_object(path)
    used = np.unique(found.materials)
    vertices = (found.vertices / found.scale + found.center).astype(np.float32)
    if len(used) == 1 and (texture := found.textures[used[0]]).shape[0] > 1:
        plain = np.allclose(found.colors, 1.0, atol=1 / 255)
        if plain:
            return Mesh(vertices, found.faces, uvs=found.uvs, texture=np.ascontiguousarray(texture[..., :3]))
    if len(used) == 1 and found.textures[used[0]].shape[0] <= 1:
        return Mesh(vertices, found.faces, colors=found.colors.astype(np.float32))
    raise MeshError(
        f"{path.name} has {len(used)} materials, and one texture is refined", "Give a result of geco run."
    )
