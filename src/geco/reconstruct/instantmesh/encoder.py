"""Views and their cameras to image tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.vit import CameraViT
from geco.reconstruct.vit import normalized


class ImageEncoder(nn.Module):
    """Mean and standard deviation only (no resizing), then the camera-modulated ViT."""

    def __init__(self, config: InstantMeshConfig) -> None:
        super().__init__()
        width = config.vit.hidden_size
        self.patch_size = config.vit.patch_size
        self.image_mean, self.image_std = config.image_mean, config.image_std
        self.model = CameraViT(config.vit)
        self.camera_embedder = nn.Sequential(
            nn.Linear(config.camera_dim, width), nn.SiLU(), nn.Linear(width, width)
        )

    @property
    def dtype(self) -> torch.dtype:
        return self.model.embeddings.cls_token.dtype

    def normalize(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> ViT input; computed in the dtype given, returned in the model's."""
        return normalized(images, self.image_mean, self.image_std).to(self.dtype)

    def forward(self, images: Tensor, cameras: Tensor) -> Tensor:
        """
        Args:
            images: (B, V, 3, H, W) in [0, 1], sides multiples of the patch size.
            cameras: (B, V, 16) conditioning vectors (geco.cameras.camera_vectors).

        Returns:
            (B, V*(1+P), C) tokens, views one after the other, each with its CLS first.
        """
        if images.shape[-1] % self.patch_size or images.shape[-2] % self.patch_size:
            raise ConfigError(
                f"views of {images.shape[-1]}x{images.shape[-2]} px do not divide into {self.patch_size} "
                f"px patches",
                "InstantMesh was trained at 320 px.",
            )
        batch, views = images.shape[:2]
        camera = self.camera_embedder(cameras.flatten(0, 1).to(self.dtype))
        tokens = self.model(self.normalize(images.flatten(0, 1)), camera)
        return tokens.reshape(batch, views * tokens.shape[1], -1)
