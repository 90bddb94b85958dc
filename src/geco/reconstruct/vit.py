"""A DINO ViT, attribute names of transformers' ViTModel: its parts (InstantMesh's are modulated by a camera),
and the plain one, which is TripoSR's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.reconstruct.packed import attend
from geco.reconstruct.vit_config import ViTConfig


def normalized(pictures: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(N, 3, H, W) -> the same less ``mean`` over ``std`` of each channel."""
    # channel by channel with plain numbers: a tensor made here would be one brought from the host
    channels = zip(pictures.unbind(1), mean, std)
    return torch.stack([(channel - low) / scale for channel, low, scale in channels], dim=1)


def interpolate_positions(positions: Tensor, rows: int, columns: int, square: bool = True) -> Tensor:
    """Resize learned position embeddings to another patch grid, as DINO does.

    Args:
        positions: (1, 1 + g*g, C), CLS first.
        rows, columns: patch grid wanted.
        square: whether the picture is square; a grid of g*g patches is left alone only then.

    Returns:
        (1, 1 + rows*columns, C). The grid is resized bicubically with the scale (n + 0.1) / g used verbatim
        for the coordinate mapping (DINO's guard against rounding), so 20 patches from 14 map with 20.1 / 14.
    """
    count = positions.shape[1] - 1
    if rows * columns == count and square:
        return positions
    side = round(count**0.5)
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(
        grid, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic", align_corners=False
    )
    if grid.shape[-2:] != (rows, columns):
        raise ConfigError(f"position grid became {tuple(grid.shape[-2:])}, not {(rows, columns)}")
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


class _PatchEmbeddings(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, config.hidden_size, config.patch_size, config.patch_size)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.projection(pixels).flatten(2).transpose(1, 2)


class Embeddings(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        patches = (config.image_size // config.patch_size) ** 2
        self.patch_size = config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + patches, config.hidden_size))
        self.patch_embeddings = _PatchEmbeddings(config)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.position_embeddings, std=0.02)

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        rows, columns = height // self.patch_size, width // self.patch_size
        patches = self.patch_embeddings(pixels)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + interpolate_positions(self.position_embeddings, rows, columns, square=height == width)


class _QueryKeyValue(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (
            nn.Linear(config.hidden_size, config.hidden_size, bias=config.qkv_bias) for _ in range(3)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (
            layer(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return attend(query, key, value).transpose(1, 2).flatten(2)


class Dense(nn.Module):
    """A linear layer under the name ``dense`` (transformers' naming)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.dense(tokens)


class Attention(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.attention = _QueryKeyValue(config)
        self.output = Dense(config.hidden_size, config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.attention(tokens))


class Block(nn.Module):
    """Pre-norm block: attention and MLP, each added to what goes in."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.attention = Attention(config)
        self.intermediate = Dense(width, config.intermediate_size)
        self.output = Dense(config.intermediate_size, width)
        self.layernorm_before = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, 1+P, C) -> (N, 1+P, C)."""
        tokens = tokens + self.attention(self.layernorm_before(tokens))
        return tokens + self.output(F.gelu(self.intermediate(self.layernorm_after(tokens))))


class _Blocks(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.layer:
            tokens = block(tokens)
        return tokens


class ViT(nn.Module):
    """Normalised pixels to tokens. The pooler belongs to the released weights; nothing reads what it would
    say.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = _Blocks(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooler = Dense(config.hidden_size, config.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, H, W) normalised -> (N, 1+P, C), CLS first, patches row by row."""
        return self.layernorm(self.encoder(self.embeddings(pixels)))
