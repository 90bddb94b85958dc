"""Layers of the small multi-view network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def normalize(norm: nn.GroupNorm | nn.LayerNorm, x: Tensor) -> Tensor:
    """``norm(x)``; on a GPU bfloat16 stays so, where autocast would write float32 (statistics are
    float32 either way).
    """
    if not (x.is_cuda and x.dtype == torch.bfloat16):
        return norm(x)  # type: ignore[no-any-return]
    weight, bias = norm.weight.to(x.dtype), norm.bias.to(x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        if isinstance(norm, nn.GroupNorm):
            return functional.group_norm(x, norm.num_groups, weight, bias, norm.eps)
        return functional.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the embedding scales and shifts between them (FiLM). The second
    starts at zero.
    """

    def __init__(self, channels_in: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(8, channels_in)
        self.conv_in = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm_out = nn.GroupNorm(8, channels)
        self.film = nn.Linear(embedding, 2 * channels)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: (N, C, H, W); embedding: (N, E)."""
        hidden = self.conv_in(functional.silu(normalize(self.norm_in, x)))
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = normalize(self.norm_out, hidden) * (1 + scale) + shift
        return self.skip(x) + self.conv_out(functional.silu(hidden))


class ViewAttention(nn.Module):
    """Self-attention over the tokens of all views of a sample plus stored tokens of the clean
    condition, then an MLP.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        last = nn.Linear(mlp_ratio * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.SiLU(), last)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor, views: int, stored: Tensor | None) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            x: (B * views, C, H, W).
            views: pictures of one sample, which see each other.
            stored: keys and values of the condition (B, 2, heads, T, C / heads), or None in the write pass.

        Returns:
            The new x, and this call's own keys and values (B, 2, heads, views * H * W, C / heads).
        """
        count, width, high, wide = x.shape
        samples = count // views
        tokens = x.flatten(2).transpose(1, 2).reshape(samples, views * high * wide, width)
        qkv = self.qkv(normalize(self.norm, tokens)).reshape(
            samples, views * high * wide, 3, self.heads, width // self.heads
        )
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        own = torch.stack([key, value], dim=1)
        if stored is not None:
            key = torch.cat([key, stored[:, 0].to(key.dtype)], dim=2)
            value = torch.cat([value, stored[:, 1].to(value.dtype)], dim=2)
        if query.is_cuda or query.dtype == torch.bfloat16:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            # written out: faster on a CPU with AVX2 than the fused kernel, and it exports to plain operators
            scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
            mixed = torch.matmul(scores.softmax(dim=-1), value)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(samples, views * high * wide, width))
        tokens = tokens + self.mlp(normalize(self.mlp_norm, tokens))
        return tokens.reshape(count, high * wide, width).transpose(1, 2).reshape(
            count, width, high, wide
        ), own


def wave_features(values: Tensor, count: int, period: float) -> Tensor:
    """(N,) -> (N, 2 count) sines and cosines of wavelengths from 2 pi to 2 pi ``period`` (the
    transformer's embedding).
    """
    rates = torch.exp(torch.arange(count, device=values.device) * (-torch.log(torch.tensor(period)) / count))
    angles = values.float()[:, None] * rates
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
