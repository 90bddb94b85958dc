"""A ViT whose blocks are modulated by the camera of each view (InstantMesh's DINO wrapper), attribute names
of its checkpoints.

Each block takes shift and scale for attention and for the MLP from the camera vector, without gates; the last
LayerNorm is not modulated and the CLS token is kept.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.vit import Block, Embeddings
from geco.reconstruct.vit_config import ViTConfig


class CameraBlock(Block):
    """The camera shifts and scales what enters attention and MLP."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.adaLN_modulation = nn.Sequential(
            nn.SiLU(), nn.Linear(config.hidden_size, 4 * config.hidden_size)
        )
        # Zero, as the reference starts it: the camera changes nothing until it is trained.
        for parameter in self.adaLN_modulation.parameters():
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, camera: Tensor) -> Tensor:  # type: ignore[override]
        """tokens (N, 1+P, C), camera (N, C) -> (N, 1+P, C)."""
        shift_attn, scale_attn, shift_mlp, scale_mlp = self.adaLN_modulation(camera)[:, None].chunk(4, dim=-1)
        tokens = tokens + self.attention(self.layernorm_before(tokens) * (1 + scale_attn) + shift_attn)
        inner = self.layernorm_after(tokens) * (1 + scale_mlp) + shift_mlp
        return tokens + self.output(F.gelu(self.intermediate(inner)))


class _Blocks(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(CameraBlock(config) for _ in range(config.num_hidden_layers))

    def forward(self, tokens: Tensor, camera: Tensor) -> Tensor:
        for block in self.layer:
            tokens = block(tokens, camera)
        return tokens


class CameraViT(nn.Module):
    """Normalised pixels and camera embeddings to tokens."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = _Blocks(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, pixels: Tensor, camera: Tensor) -> Tensor:
        """pixels (N, 3, H, W) normalised, camera (N, C) -> (N, 1+P, C), CLS first, patches row by row."""
        return self.layernorm(self.encoder(self.embeddings(pixels), camera))
