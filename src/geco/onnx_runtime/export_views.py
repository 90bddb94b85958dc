"""The small generator as one pass for ONNX Runtime: the condition picture goes through the trunk beside the
six views that read it, as the first of seven.

The numbers are those of a write pass and a read pass (:mod:`geco.multiview.small.network`) up to rounding.
What is other than there was measured to be faster: fewer nodes, as a session opens in half the time; scales
and shifts of normalisations are folded into the layer behind them; layers are normalised by
InstanceNormalization, where a token is a channel (0.07 ms, ONNX Runtime's LayerNormalization takes 0.9);
heads are a batch of products, so that nothing is turned round for them; the bias of keys, which changes no
softmax, is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.multiview.small.blocks import wave_features
from geco.multiview.small.network import VIEWS, SmallMultiView
from geco.onnx_runtime.export_bridge import through_volume
from geco.onnx_runtime.export_layers import films, normalize, residual

ALL = VIEWS + 1  # the picture first


class ViewsPass(nn.Module):
    """x0 of samples.

    ``forward``: picture (B, 3, S, S) in [-1, 1], zeros for "no picture"; x_t (B, 6, 3, S, S); t (1,) float32
    -> x0 (B, 6, 3, S, S).
    """

    def __init__(self, model: SmallMultiView) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        net = self.model
        time = net.time(wave_features(t, 64, 1000.0))
        rows = torch.cat([net.clean[None], time + net.camera(net.view_angles)])  # (7, E)
        film = films([*net.down_blocks, *net.blocks, *net.up_blocks], functional.silu(rows), 2)
        x = self.stem(picture, x_t)
        for block in net.down_blocks:
            x = residual(block, x, film[block])
        if net.bridge is not None:
            x = through_volume(net.bridge, x, functional.silu(time))
        fine = _views(x)
        x = net.down(x) + net.position
        last = net.attentions[-1]
        for block, attention in zip(net.blocks, net.attentions):
            x = attend(attention, residual(block, x, film[block]), attention is last)
        x = torch.cat([functional.interpolate(net.up(x), scale_factor=2.0, mode="nearest"), fine], dim=1)
        for block in net.up_blocks:
            scale, shift = film[block]
            x = residual(block, x, (scale[1:], shift[1:]))
        x = net.head(functional.silu(normalize(net.head_norm, x)))
        return functional.pixel_shuffle(x, net.config.patch).reshape(-1, *net.sample_shape)

    def stem(self, picture: Tensor, x_t: Tensor) -> Tensor:
        """(7 B, C, h, h): the first layer, what it makes of the condition being the same for all seven."""
        stem, patch = self.model.stem, self.model.config.patch
        rows = torch.cat([picture[:, None], x_t], dim=1)
        patches = functional.pixel_unshuffle(rows.flatten(0, 1), patch)
        half = patches.shape[1]
        own = functional.conv2d(patches, stem.weight[:, :half], stem.bias, padding=1)
        pictures = patches.unflatten(0, (-1, ALL))[:, 0]
        same = functional.conv2d(pictures, stem.weight[:, half:], padding=1)
        return (own.unflatten(0, (-1, ALL)) + same[:, None]).flatten(0, 1)


def attend(attention: Any, x: Tensor, last: bool) -> Tensor:
    """A ViewAttention: the picture to itself, the views to themselves and the picture.

    x (7 B, D, h, w) -> the same; the ``last`` gives the views alone, (6 B, D, h, w).
    """
    width, high, wide = x.shape[1:]
    cells = high * wide
    tokens = x.flatten(2).transpose(1, 2)  # (7 B, T, D)
    normed = per_token(attention.norm, tokens).reshape(-1, ALL * cells, width)  # (B, 7 T, D)
    weight, bias = folded(attention.qkv, attention.norm)
    heads, each = attention.heads, width // attention.heads
    # (H, D, d) each, the queries' scaled
    query, key, value = weight.reshape(3, heads, each, width).transpose(2, 3).unbind(0)
    scale = each**-0.5
    asking = normed[:, cells:] if last else normed
    query = _heads(asking, query * scale) + (bias[:width] * scale).reshape(heads, 1, 1, each)
    key, value = _heads(normed, key), _heads(normed, value)
    if last:
        mixed = _mixed(query, key, value)
    else:
        own = _mixed(query[:, :, :cells], key[:, :, :cells], value[:, :, :cells])
        mixed = torch.cat([own, _mixed(query[:, :, cells:], key, value)], dim=2)
    out = attention.out
    # weights of a softmax add up to one, so that the values' bias is seen whole
    seen = out.bias + torch.mv(out.weight, bias[2 * width :])
    tokens = _views(tokens) if last else tokens
    tokens = tokens.reshape(-1, width) + functional.linear(
        mixed.permute(1, 2, 0, 3).reshape(-1, width), out.weight, seen
    )
    hidden = functional.linear(
        per_token(attention.mlp_norm, tokens.reshape(-1, cells, width)).reshape(-1, width),
        *folded(attention.mlp[0], attention.mlp_norm),
    )
    tokens = tokens + attention.mlp[2](functional.silu(hidden))
    return tokens.reshape(-1, cells, width).transpose(1, 2).reshape(-1, width, high, wide)


def _heads(tokens: Tensor, weight: Tensor) -> Tensor:
    """(B, N, D) and (H, D, d) -> (H, B, N, d)."""
    # In four axes both: OpenVINO fails where one has three.
    return torch.matmul(tokens[None], weight[:, None])


def _mixed(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.matmul(torch.matmul(query, key.transpose(-1, -2)).softmax(dim=-1), value)


def _views(x: Tensor) -> Tensor:
    """(7 B, ...) -> (6 B, ...): without the pictures."""
    return x.unflatten(0, (-1, ALL))[:, 1:].flatten(0, 1)


def folded(linear: nn.Linear, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer after a normalisation, that one's included."""
    return linear.weight * norm.weight, linear.bias + torch.mv(linear.weight, norm.bias)


def per_token(norm: nn.LayerNorm, tokens: Tensor) -> Tensor:
    """Tokens (N, T, D) with mean 0 and variance 1 each."""
    return functional.instance_norm(tokens, eps=norm.eps)
