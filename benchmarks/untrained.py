"""The full family without weights, at its true size or tiny."""

from __future__ import annotations

from typing import Literal

from torch import nn

from geco.multiview.zero123plus.public_size import public_networks
from geco.public_weights.library_models import on_meta
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig, ViTConfig
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.torch_runtime.foreseen import Networks

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
