"""Image tokens to three feature planes: learned queries, cross- and self-attention, one
transposed convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import Tensor, nn

from geco.reconstruct.instantmesh.config import InstantMeshConfig


class Attention(nn.Module):
    """Multi-head attention without biases, parameters named as in ``torch.nn.MultiheadAttention``.

    With a context as wide as the queries the three projections are one ``in_proj_weight``; else each has its
    own.
    """

    def __init__(self, dim: int, context_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.packed = context_dim == dim
        if self.packed:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        else:
            self.q_proj_weight = nn.Parameter(torch.empty(dim, dim))
            self.k_proj_weight = nn.Parameter(torch.empty(dim, context_dim))
            self.v_proj_weight = nn.Parameter(torch.empty(dim, context_dim))
        self.out_proj = nn.Linear(dim, dim, bias=False)
        for name, weight in self.named_parameters():
            if name != "out_proj.weight":
                nn.init.xavier_uniform_(weight)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """queries (B, N, C), context (B, M, D) -> (B, N, C)."""
        if self.packed:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        q, k, v = (
            F.linear(x.to(weight.dtype), weight).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x, weight in zip((queries, context, context), weights)
        )
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class TransformerBlock(nn.Module):
    """Cross-attention to the views, self-attention, MLP; each pre-norm and residual. The context
    is not normalised.
    """

    def __init__(self, dim: int, context_dim: int, heads: int) -> None:
        super().__init__()
        # The reference passes an eps to its blocks and does not use it: torch's 1e-5 holds.
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.cross_attn = Attention(dim, context_dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.self_attn = Attention(dim, dim, heads)
        self.norm3 = nn.LayerNorm(dim, eps=1e-5)
        # Index 2 is the reference's dropout of 0: the second layer must be called mlp.3.
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Identity(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = x + self.cross_attn(self.norm1(x), context)
        inner = self.norm2(x)
        x = x + self.self_attn(inner, inner)
        return x + self.mlp(self.norm3(x))


class TriplaneTransformer(nn.Module):
    """(B, M, D) image tokens -> (B, 3, C, H, W) planes xy, xz, zy (order of
    geco.reconstruct.triplane).
    """

    def __init__(self, config: InstantMeshConfig) -> None:
        super().__init__()
        dim, self.low_res = config.transformer_dim, config.triplane_low_res
        self.pos_embed = nn.Parameter(torch.randn(1, 3 * self.low_res**2, dim) * dim**-0.5)
        self.layers = nn.ModuleList(
            TransformerBlock(dim, config.vit.hidden_size, config.transformer_heads)
            for _ in range(config.transformer_layers)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.deconv = nn.ConvTranspose2d(dim, config.triplane_dim, kernel_size=2, stride=2)
        self.gradient_checkpointing = False

    def forward(self, context: Tensor) -> Tensor:
        x = self.pos_embed.expand(len(context), -1, -1)
        for layer in self.layers:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                x = torch.utils.checkpoint.checkpoint(layer, x, context, use_reentrant=False)
            else:
                x = layer(x, context)
        # Tokens are ordered plane, row, column.
        grids = self.norm(x).reshape(-1, self.low_res, self.low_res, x.shape[-1]).permute(0, 3, 1, 2)
        return self.deconv(grids.contiguous()).unflatten(0, (-1, 3))
