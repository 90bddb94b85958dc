"""The whole reconstructor: views and cameras to planes, planes to fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geco.passes import Wrap, plainly
from geco.reconstruct.fields import SurfaceFields
from geco.reconstruct.half import halve
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.encoder import ImageEncoder
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.nerf import NerfSynthesizer
from geco.reconstruct.instantmesh.surface import MeshSurface, NerfSurface
from geco.reconstruct.instantmesh.transformer import TriplaneTransformer


class InstantMesh(nn.Module):
    """Both variants; state keys are those of the released checkpoints behind their ``lrm_generator.`` prefix.

    ``synthesizer`` is a :class:`NerfSynthesizer` or a :class:`MeshSynthesizer`, by ``config.kind``.
    """

    def __init__(self, config: InstantMeshConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ImageEncoder(config)
        self.transformer = TriplaneTransformer(config)
        self.synthesizer = NerfSynthesizer(config) if config.kind == "nerf" else MeshSynthesizer(config)
        self.through(plainly)

    @classmethod
    def on_meta(cls, config: InstantMeshConfig) -> InstantMesh:
        """Shapes without memory; fill it with ``load_state_dict(..., assign=True)``."""
        with torch.device("meta"):
            return cls(config)

    @property
    def device(self) -> torch.device:
        """Where it works; the weights that make planes may wait elsewhere."""
        return next(self.synthesizer.parameters()).device

    def halve(self, dtype: torch.dtype) -> InstantMesh:
        """This model with the products of its encoder and transformer in ``dtype``, for inference.

        Float32 stay, beside what :func:`geco.reconstruct.half.halve` names: the camera's embedding and what
        each block makes of it, the upsampler, the planes, where they are read, and every decoder on them
        (SDF, deformation, FlexiCubes' weights, density, colour).
        """
        halve(self.encoder.model, dtype, kept=("adaLN_modulation",))
        halve(self.transformer, dtype)
        return self

    def forward(self, images: Tensor, cameras: Tensor) -> Tensor:
        """Planes of each object.

        Args:
            images: (B, V, 3, H, W) in [0, 1] on white.
            cameras: (B, V, 16) conditioning vectors (geco.cameras.camera_vectors).

        Returns:
            (B, 3, C, H', W') planes xy, xz, zy over [-1, 1].
        """
        return self._planes(images, cameras)

    planes = forward

    def through(self, wrap: Wrap) -> None:
        """Make planes through ``wrap`` from now on."""
        self._planes = wrap([self.encoder, self.transformer], self._from_views)

    def _from_views(self, images: Tensor, cameras: Tensor) -> Tensor:
        return self.transformer(self.encoder(images, cameras))

    @torch.no_grad()
    def surfaces(self, images: Tensor, cameras: Tensor) -> list[SurfaceFields]:
        """What extraction and baking ask for, one per object; arguments as :meth:`forward`, any device."""
        planes = self(images.to(self.device), cameras.to(self.device))
        if isinstance(self.synthesizer, NerfSynthesizer):
            return [NerfSurface(self.synthesizer, item[None]) for item in planes]
        return [MeshSurface(self.synthesizer, item[None]) for item in planes]
