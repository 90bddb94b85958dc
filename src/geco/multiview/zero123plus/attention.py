"""Reference attention: self-attention that also looks at the tokens of a reference picture.

The UNet runs twice with the same weights. In the WRITE pass, on the reference, every self-attention
(``attn1``) hands over its input tokens. In the READ pass every self-attention takes keys and values from its
own tokens followed by the stored ones. Cross-attention (``attn2``) does what it always does.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F


class Write:
    """Write pass: tokens (B, N, C) are put into ``tokens`` under the name of their attention layer.

    No dataclass: sharded networks (FSDP2) hand copies of those to their blocks, and what is put into a copy
    is lost.
    """

    def __init__(self, tokens: MutableMapping[str, Tensor]) -> None:
        self.tokens = tokens


@dataclass(frozen=True)
class Read:
    """Read pass: stored tokens by the name of their attention layer; a layer without any attends
    to itself only.
    """

    tokens: Mapping[str, Tensor]


class ReferenceAttention:
    """Attention processor of one layer; diffusers calls it with ``reference`` from
    ``cross_attention_kwargs``.

    Args:
        name: the layer's module name, such as ``mid_block.attentions.0.transformer_blocks.0.attn1``.
        query_chunk: queries computed at a time, to bound memory where no fused kernel does; None for all.
    """

    def __init__(self, name: str, query_chunk: int | None = None) -> None:
        self.name = name
        self.query_chunk = query_chunk
        self.is_self_attention = name.endswith("attn1")

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        reference: Write | Read | None = None,
    ) -> Tensor:
        """hidden_states (B, N, C), encoder_hidden_states (B, T, E) or None for self-attention ->
        (B, N, C).
        """
        if attention_mask is not None:
            raise NotImplementedError("Zero123++ uses no attention masks")
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        key, value = attn.to_k(context), attn.to_v(context)
        if self.is_self_attention and isinstance(reference, Write):
            reference.tokens[self.name] = hidden_states
        elif self.is_self_attention and isinstance(reference, Read) and self.name in reference.tokens:
            stored = reference.tokens[self.name]
            key, value = (
                torch.cat([key, attn.to_k(stored)], dim=1),
                torch.cat([value, attn.to_v(stored)], dim=1),
            )
        query, key, value = (
            x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (attn.to_q(hidden_states), key, value)
        )
        dtype = query.dtype
        if attn.upcast_attention and dtype == torch.float16 and not query.is_cuda:
            # Stable Diffusion 2's scores leave float16's range; CUDA's fused kernels add up in float32, what
            # other devices do is not said
            query, key, value = query.float(), key.float(), value.float()
        chunks = query.split(self.query_chunk or query.shape[2], dim=2)
        parts = [F.scaled_dot_product_attention(chunk, key, value, scale=attn.scale) for chunk in chunks]
        mixed = (parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)).to(dtype)
        out = attn.to_out[0](mixed.transpose(1, 2).flatten(2))
        return attn.to_out[1](out)


def install_reference_attention(unet: UNet2DConditionModel, query_chunk: int | None = None) -> list[str]:
    """Give every attention layer of ``unet`` a :class:`ReferenceAttention`; the names of the
    self-attentions, in order.
    """
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    for name in names:
        layer: nn.Module = unet.get_submodule(name)
        _check_plain(name, layer)
    processors: dict[str, Any] = {
        f"{name}.processor": ReferenceAttention(name, query_chunk) for name in names
    }
    unet.set_attn_processor(processors)
    return [name for name in names if name.endswith("attn1")]


def _check_plain(name: str, layer: Any) -> None:
    # What diffusers' attention may also do and Stable Diffusion's does not; refusing beats being quietly
    # wrong.
    odd = [
        key
        for key in ("group_norm", "spatial_norm", "norm_cross", "norm_q", "norm_k")
        if getattr(layer, key, None)
    ]
    if odd or layer.residual_connection or layer.rescale_output_factor != 1.0:
        raise NotImplementedError(f"{name} is not a Stable Diffusion attention layer: {odd}")
