"""Layers of the small generator as ONNX Runtime runs them fast; see :mod:`geco.onnx_runtime.export_views`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.multiview.small.blocks import ResidualBlock

Block = Any  # a ResidualBlock or a VolumeBlock
# Scale and shift, (rows, C, 1, 1 ...): those of the normalisation before FiLM are in them.
Film = tuple[Tensor, Tensor]


def films(blocks: Sequence[Block], embedding: Tensor, sides: int) -> dict[Block, Film]:
    """Of blocks on maps with so many ``sides``, all in one product; embedding (rows, E)."""
    norms, layers = [block.norm_out for block in blocks], [block.film for block in blocks]
    weight, bias = torch.cat([each.weight for each in layers]), torch.cat([each.bias for each in layers])
    gamma, beta = torch.cat([each.weight for each in norms]), torch.cat([each.bias for each in norms])
    sizes = [norm.num_channels for norm in norms]
    parts = functional.linear(embedding, weight, bias).split([size for size in sizes for _ in range(2)], 1)
    scale, shift = torch.cat(parts[::2], dim=1) + 1, torch.cat(parts[1::2], dim=1)
    columns = (-1, sum(sizes), *(1,) * sides)
    scales = (scale * gamma).reshape(columns).split(sizes, 1)
    shifts = (scale * beta + shift).reshape(columns).split(sizes, 1)
    return dict(zip(blocks, zip(scales, shifts)))


def residual(block: Block, x: Tensor, film: Film) -> Tensor:
    """A block on maps (B rows, C, ...), whose rows have a scale and a shift each."""
    scale, shift = film
    hidden = standardized(block.norm_out, block.conv_in(functional.silu(normalize(block.norm_in, x))))
    if len(scale) > 1:
        filmed = (hidden.unflatten(0, (-1, len(scale))) * scale + shift).flatten(0, 1)
    else:
        filmed = hidden * scale + shift
    skipped = block.skip(x) if isinstance(block, ResidualBlock) else x
    result: Tensor = skipped + block.conv_out(functional.silu(filmed))
    return result


def standardized(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """(N, C, ...) with mean 0 and variance 1 in each group of channels."""
    own = x.shape[1:]  # the batch is always left to be inferred, so that the graph takes any
    groups = x.reshape(-1, norm.num_groups, math.prod(own) // norm.num_groups)
    return functional.instance_norm(groups, eps=norm.eps).reshape(-1, *own)


def normalize(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """``norm(x)``."""
    sides = (-1, *(1,) * (x.ndim - 2))
    return standardized(norm, x) * norm.weight.reshape(sides) + norm.bias.reshape(sides)
