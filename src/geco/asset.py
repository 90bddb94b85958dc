"""What a run gives back: the mesh, what the model saw on the way, and how long each stage took."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geco.errors import MissingExtraError
from geco.mesh.types import Mesh

if TYPE_CHECKING:
    import trimesh


@dataclass
class Asset:
    """One textured mesh of one picture.

    Attributes:
        mesh: UV-textured, world z up, the input side facing +x (files are written y up, the input side facing +z).
        views: (6, S, S, 3) float32 in [0, 1], the generated views in the order of the model's camera rig.
        picture: (P, P, 4) float32 in [0, 1], the cut-out picture as the model saw it, at projection resolution.
        timings: seconds a stage, in order; "total" is the whole call.
        seed: the seed of the noise; the same picture, seed, model and machine give the same mesh.
        model: name or folder of the model.
        facts: what else the run found out: cut-out method, fitted input camera, face counts.
    """

    mesh: Mesh
    views: NDArray[np.float32]
    picture: NDArray[np.float32]
    timings: dict[str, float]
    seed: int
    model: str
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str], texture_format: str = "jpeg") -> None:
        """Write ``.glb``, ``.obj``, ``.ply``, ``.stl`` or ``.usdz``, whole or not at all; raises OutputError."""
        from geco.mesh.export import save

        save(self.mesh, path, extras=self.extras(), texture_format=texture_format)

    def extras(self) -> dict[str, Any]:
        """What is written into a GLB's ``asset.extras``: enough to make the same file again."""
        return {"seed": self.seed, "model": self.model, "seconds": self.timings.get("total"), **self.facts}

    @property
    def trimesh(self) -> trimesh.Trimesh:
        """The mesh as trimesh's own type (texture or vertex colours attached); needs the extra ``mesh``."""
        try:
            import trimesh
            from PIL import Image
        except ImportError as error:
            raise MissingExtraError("trimesh", "mesh", "Asset.trimesh") from error
        mesh = self.mesh
        visual: Any = None
        if mesh.uvs is not None and mesh.texture is not None:
            uv = np.stack([mesh.uvs[:, 0], 1.0 - mesh.uvs[:, 1]], axis=1)  # trimesh counts v from the bottom
            material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(mesh.texture), metallicFactor=0.0)
            visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
        elif mesh.colors is not None:
            visual = trimesh.visual.ColorVisuals(vertex_colors=np.round(mesh.colors * 255).astype(np.uint8))
        return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, visual=visual, process=False)
