"""Self-attention that also looks at the tokens of a reference picture (Zero123++)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class ReferenceAttention:
    """Attention that keeps its tokens in a write pass, and in a read pass sees those kept beside its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        kept: dict[str, Tensor] | None = None,
        write: bool = False,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        key, value = attn.to_k(context), attn.to_v(context)
        if self.name.endswith("attn1") and kept is not None:
            if write:
                kept[self.name] = hidden_states
            elif self.name in kept:
                stored = kept[self.name]
                key = torch.cat([key, attn.to_k(stored)], dim=1)
                value = torch.cat([value, attn.to_v(stored)], dim=1)
        query, key, value = (
            x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (attn.to_q(hidden_states), key, value)
        )
        dtype = query.dtype
        if attn.upcast_attention and dtype == torch.float16 and not query.is_cuda:
            query, key, value = query.float(), key.float(), value.float()
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=attn.scale).to(dtype)
        return attn.to_out[1](attn.to_out[0](mixed.transpose(1, 2).flatten(2)))
