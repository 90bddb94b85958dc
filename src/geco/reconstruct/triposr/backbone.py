"""Triplane tokens that look at each other and at the picture: diffusers' Transformer1D, names of TripoSR's
checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.packed import PackedLinear, attend, pack
from geco.reconstruct.triposr.config import FeedForward, TripoSRConfig

ROWS = 3 * 32 * 32  # tokens of the released model, which weights are packed for


class TripleTokens(nn.Module):
    """Learned tokens of the three planes, the same for every picture."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        shape = (3, config.channels, config.plane_size, config.plane_size)
        self.embeddings = nn.Parameter(torch.randn(shape) * config.channels**-0.5)

    def forward(self, batch: int) -> Tensor:
        """(B, C, 3*P*P), order plane, row, column."""
        return self.embeddings.transpose(0, 1).flatten(1).expand(batch, -1, -1)

    def planes(self, tokens: Tensor) -> Tensor:
        """(B, C, 3*P*P) -> (B, 3, C, P, P)."""
        size = self.embeddings.shape[-1]
        return tokens.unflatten(2, (3, size, size)).transpose(1, 2)


class CrossAttention(nn.Module):
    """Multi-head attention to a context, or to the queries themselves."""

    def __init__(self, dim: int, context: int, heads: int, head_dim: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, heads * head_dim, bias=bias)
        self.to_k = nn.Linear(context, heads * head_dim, bias=bias)
        self.to_v = nn.Linear(context, heads * head_dim, bias=bias)
        # The reference's second is a dropout of 0: the layer must be called to_out.0.
        self.to_out = nn.ModuleList([nn.Linear(heads * head_dim, dim)])

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """(B, N, C), (B, M, D) -> (B, N, C)."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.to_q, tokens), (self.to_k, context), (self.to_v, context))
        )
        return self.to_out[0](attend(q, k, v).transpose(1, 2).flatten(2))


class _Gate(nn.Module):
    """The first half of a feed-forward layer; "geglu" multiplies one half of the channels by the other's
    GELU.
    """

    def __init__(self, dim: int, inner: int, kind: FeedForward) -> None:
        super().__init__()
        self.kind = kind
        self.proj = nn.Linear(dim, 2 * inner if kind == "geglu" else inner)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.proj(tokens)
        if self.kind == "geglu":
            value, gate = x.chunk(2, dim=-1)
            return value * F.gelu(gate)
        if self.kind == "geglu-approximate":
            return x * torch.sigmoid(1.702 * x)
        return F.gelu(x, approximate="tanh" if self.kind == "gelu-approximate" else "none")


class _PackedGate(nn.Module):
    """ "geglu" with the GELU computed where the product is."""

    def __init__(self, gate: _Gate, dtype: torch.dtype, rows: int) -> None:
        super().__init__()
        value, by = (_rows_of(gate.proj, part) for part in (0, 1))
        self.value, self.gate = PackedLinear(value, dtype, rows), PackedLinear(by, dtype, rows, "gelu")

    def forward(self, tokens: Tensor) -> Tensor:
        return self.value(tokens).mul_(self.gate(tokens))


def _rows_of(linear: nn.Linear, part: int) -> nn.Linear:
    """One half of a layer's outputs."""
    half = nn.Linear(1, 1)
    assert linear.bias is not None
    half.weight, half.bias = (
        nn.Parameter(x.detach().chunk(2)[part], requires_grad=False) for x in (linear.weight, linear.bias)
    )
    return half


class _FeedForward(nn.Module):
    def __init__(self, dim: int, kind: FeedForward) -> None:
        super().__init__()
        # Index 1 is the reference's dropout of 0.
        self.net = nn.Sequential(_Gate(dim, 4 * dim, kind), nn.Identity(), nn.Linear(4 * dim, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.net(tokens)


class BackboneBlock(nn.Module):
    """Self-attention, attention to the picture, feed-forward; each pre-norm and residual. The picture's
    tokens are not normalised.
    """

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        dim = config.heads * config.head_dim
        sizes = (config.heads, config.head_dim, config.attention_bias)
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = CrossAttention(dim, dim, *sizes)
        self.norm2 = nn.LayerNorm(dim)
        self.attn2 = CrossAttention(dim, config.vit.hidden_size, *sizes)
        self.norm3 = nn.LayerNorm(dim)
        self.ff = _FeedForward(dim, config.feed_forward)

    def forward(self, tokens: Tensor, picture: Tensor) -> Tensor:
        """(B, N, C), (B, M, D) -> (B, N, C)."""
        inner = self.norm1(tokens)
        tokens = tokens + self.attn1(inner, inner)
        tokens = tokens + self.attn2(self.norm2(tokens), picture)
        return tokens + self.ff(self.norm3(tokens))


class Backbone(nn.Module):
    """What the blocks change of the tokens is added to them."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        dim = config.heads * config.head_dim
        self.norm = nn.GroupNorm(config.norm_groups, config.channels, eps=1e-6)
        self.proj_in = nn.Linear(config.channels, dim)
        self.transformer_blocks = nn.ModuleList(BackboneBlock(config) for _ in range(config.layers))
        self.proj_out = nn.Linear(dim, config.channels)

    def forward(self, tokens: Tensor, picture: Tensor) -> Tensor:
        """tokens (B, C, N), picture (B, M, D) -> (B, C, N)."""
        # What the blocks add to stays as precise as the tokens, whatever the products' format.
        inner = self.proj_in(self.norm(tokens).transpose(1, 2)).to(tokens.dtype)
        for block in self.transformer_blocks:
            inner = block(inner, picture)
        return self.proj_out(inner).transpose(1, 2) + tokens


def pack_backbone(backbone: Backbone, dtype: torch.dtype) -> None:
    """Make a backbone ready for a CPU, for good: its products in ``dtype``, everything else in float32."""
    for module in list(backbone.modules()):
        if isinstance(module, _FeedForward):
            gate = module.net[0]
            if isinstance(gate, _Gate) and gate.kind == "geglu":
                module.net[0] = _PackedGate(gate, dtype, ROWS)
    pack(backbone, dtype, ROWS)


class Upsampler(nn.Module):
    """(B, 3, C, P, P) -> (B, 3, C', 2P, 2P)."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(config.channels, config.plane_channels, kernel_size=2, stride=2)

    def forward(self, planes: Tensor) -> Tensor:
        return self.upsample(planes.flatten(0, 1)).unflatten(0, (-1, 3))
