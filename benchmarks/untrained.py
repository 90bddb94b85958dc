"""The full family with random weights, at its true size or tiny, on any device."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from geco.multiview.zero123plus.public_size import public_networks
from geco.public_weights.library_models import on_meta
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig, ViTConfig
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.torch_runtime.foreseen import Networks

Module = TypeVar("Module", bound=nn.Module)
Size = Literal["full", "tiny"]

TINY_SHEET = (4, 60, 40)  # views of 160 pixels
TINY_MESH = InstantMeshConfig(
    vit=ViTConfig(hidden_size=192, num_hidden_layers=4, num_attention_heads=3, intermediate_size=768),
    transformer_dim=256,
    transformer_layers=4,
    transformer_heads=4,
    grid_res=32,
)


def hollow(size: Size, teacher: bool = False, reconstructor: str = "instant-mesh-large") -> Networks:
    """The networks without memory for their weights."""
    tiny = {"narrower": 4, "sheet": TINY_SHEET} if size == "tiny" else {}
    network, codec = on_meta(lambda: nn.ModuleList(public_networks(teacher, **tiny)))
    model = on_meta(lambda: InstantMesh(TINY_MESH if size == "tiny" else RELEASED[reconstructor]))
    return Networks(network, codec, model.eval().requires_grad_(False))


def fill(module: Module, device: torch.device | str, dtype: torch.dtype) -> Module:
    """Random numbers for its weights, such that what goes in keeps its scale; in place."""
    for owner in module.modules():
        for name, old in owner.named_parameters(recurse=False):
            value = _drawn(torch.empty(old.shape, device=device, dtype=dtype))
            owner._parameters[name] = nn.Parameter(value, requires_grad=False)
        for name, buffer in owner.named_buffers(recurse=False):
            owner._buffers[name] = buffer.to(device, dtype if buffer.is_floating_point() else None)
    return module


def _drawn(weight: Tensor) -> Tensor:
    """Weights of unit gain; of a bias or a norm, one dimension, small numbers about 1 at most."""
    if weight.dim() < 2:
        return weight.uniform_(0.0, 1.0)
    return weight.uniform_(-1.0, 1.0).mul_(math.sqrt(3 / weight[0].numel()))
