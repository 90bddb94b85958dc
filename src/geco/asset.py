"""What a run gives back: the mesh, what the model saw on the way, and how long each stage took."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geco.errors import MissingExtraError
from geco.images import to_bytes
from geco.marks import Source
from geco.mesh.export.metadata import About
from geco.mesh.export.names import object_name
from geco.mesh.types import Mesh
from geco.types import Floats, Pictures

if TYPE_CHECKING:
    import trimesh


@dataclass
class Asset:
    """One textured mesh of one picture.

    Attributes:
        mesh: UV-textured, world z up, the input side facing +x (files are written y up, the input side facing
            +z).
        drawn: (6, S, S, 3) float32 in [0, 1], the generated views in the order of the model's camera rig,
            where the runtime left them.
        picture: (P, P, 4) float32 in [0, 1], the cut-out picture as the model saw it, at projection
            resolution.
        timings: seconds a stage, in order; "total" is the whole call.
        seed: the seed of the noise; the same picture, seed, model and machine give the same mesh.
        model: name or folder of the model.
        facts: what else the run found out: cut-out method, fitted input camera, face counts.
        source: the picture's file by name and content; empty for arrays.
    """

    mesh: Mesh
    drawn: Pictures
    picture: Floats
    timings: dict[str, float]
    seed: int
    model: str
    facts: dict[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)

    @property
    def views(self) -> Floats:
        """:attr:`drawn` in numpy: off the device at the first look."""
        return np.asarray(self.drawn)

    @property
    def name(self) -> str:
        """What the object is called in files: the picture's stem, cleaned; ``object`` if it has none."""
        return object_name(Path(self.source.name).stem)

    def save(
        self,
        path: str | os.PathLike[str],
        texture_format: str = "jpeg",
        size: float | None = None,
        pivot: str = "center",
        compression: str = "none",
    ) -> list[Path]:
        """Write ``.glb``, ``.obj``, ``.ply``, ``.stl``, ``.usdz`` or ``.3mf``, whole or not at all.

        Args:
            path: its suffix is the format; what stands there is replaced.
            texture_format, size, pivot, compression: see :class:`geco.mesh.export.FileOptions`.

        Returns:
            The files written, the asked one first: an OBJ has a material and pictures beside it; levels of
            detail and a collision shape are files of their own.

        Raises:
            OutputError: an unknown format, or a place that cannot be written. ConfigError: a size out of
                range, an option that the format has not. MissingExtraError: it needs an extra.
        """
        from geco.mesh.export import save

        file = {"texture_format": texture_format, "size": size, "pivot": pivot, "compression": compression}
        return save(self.mesh, path, about=self._about(), **file)

    def encode(self, format: str, **file: Any) -> dict[str, bytes]:
        """The files in memory: name -> bytes, the mesh first; arguments and errors as :meth:`save`."""
        from geco.mesh.export import encode

        return encode(self.mesh, format, about=self._about(), **file)

    def extras(self) -> dict[str, Any]:
        """A GLB's ``asset.extras``: enough to make the same file again, and nothing that differs then."""
        return {"seed": self.seed, "model": self.model, **self.facts}

    def _about(self) -> About:
        return About(self.name, self.source, self.extras())

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
            material = trimesh.visual.material.PBRMaterial(
                baseColorTexture=Image.fromarray(mesh.texture), metallicFactor=0.0
            )
            visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
        elif mesh.colors is not None:
            visual = trimesh.visual.ColorVisuals(vertex_colors=to_bytes(mesh.colors))
        return trimesh.Trimesh(
            mesh.vertices, mesh.faces, vertex_normals=mesh.normals, visual=visual, process=False
        )
