"""Small InstantMesh models for tests: random ones, and fields that are a known sphere."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.decoders import NERF_LEVEL
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.triposr.decoder import raw_level
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.vit_config import ViTConfig

Kind = Literal["nerf", "mesh"]


def config(kind: Kind, **changes: Any) -> InstantMeshConfig:
    """A few thousand parameters; 32 px pictures."""
    vit = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, image_size=32
    )
    settings: dict[str, Any] = {
        "transformer_dim": 32,
        "transformer_layers": 2,
        "transformer_heads": 4,
        "triplane_low_res": 4,
        "triplane_high_res": 8,
        "triplane_dim": 4,
        "rendering_samples_per_ray": 16,
        "grid_res": 12,
    }
    return InstantMeshConfig(kind=kind, **{"vit": vit, **settings, **changes})


def model(kind: Kind, seed: int = 0, **changes: Any) -> InstantMesh:
    """Random weights everywhere, those that start at zero included."""
    torch.manual_seed(seed)
    made = InstantMesh(config(kind, **changes)).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "adaLN" in name:
                parameter.normal_(0, 0.2)
    return made


def views(batch: int = 1, count: int = 2, size: int = 32, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Random pictures (B, V, 3, S, S) and the first cameras of the Zero123++ rig (B, V, 16)."""
    from geco.cameras import ZERO123PLUS_V12

    torch.manual_seed(seed)
    cameras = torch.from_numpy(ZERO123PLUS_V12.vectors()[:count]).expand(batch, -1, -1)
    return torch.rand(batch, count, 3, size, size), cameras


def sphere(kind: Kind, radius: float = 0.6, side: int = 129, **changes: Any) -> tuple[InstantMesh, Tensor]:
    """A model and planes whose surface is a sphere: SDF = steepness * (|x|^2 - radius^2), colour grey 0.5.

    The planes hold x^2 + y^2 and z^2, which ReLU lets pass, and the last layers combine them; deformation and
    weights 0.
    """
    made = model(kind, **changes)
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    planes = torch.zeros(1, 3, made.config.triplane_dim, side, side)
    planes[0, 0, 0] = axis[None, :] ** 2 + axis[:, None] ** 2  # plane xy: x across, y down
    planes[0, 1, 0] = (axis**2)[:, None].expand(side, side)  # plane xz: z down
    # Zero outside the planes is inside the sphere: a constant makes the rest positive.
    planes[0, :, 1] = 1.0
    with torch.no_grad():
        for parameter in made.synthesizer.parameters():
            parameter.zero_()
        if kind == "mesh":
            _sum_of_squares(made.synthesizer.decoder.net_sdf, made.config.triplane_dim, 0, 4.0, radius)
            made.synthesizer.decoder.net_sdf[-1].bias[0] += 20.0
        else:
            net = made.synthesizer.decoder.net
            _sum_of_squares(net, made.config.triplane_dim, 0, -40.0, radius)
            net[-1].bias[0] += NERF_LEVEL + 1 - 20.0
    return made.requires_grad_(False), planes


def _sum_of_squares(net: nn.Sequential, channels: int, output: int, gain: float, radius: float) -> None:
    first = net[0].weight
    first[0, 0], first[0, channels] = 1.0, 1.0  # channel 0 of planes xy and xz
    first[1, 1], first[1, channels + 1] = 0.5, 0.5  # the constant: half of it is missing beyond either plane
    for layer in (net[2], net[4]):
        layer.weight[0, 0], layer.weight[1, 1] = 1.0, 1.0
    sign = 1.0 if gain > 0 else -1.0
    net[-1].weight[output, 0], net[-1].weight[output, 1] = gain, -20.0 * sign
    net[-1].bias[output] = -gain * radius**2


CONFIG = SmallReconstructorConfig(
    view_size=16,
    widths=(8, 16, 16),
    volume_size=8,
    volume_widths=(8, 16, 16),
    lift_channels=4,
    map_channels=8,
    volume_channels=4,
    view_hidden=8,
    point_hidden=16,
    color_hidden=16,
)


def triposr_config(**changes: Any) -> TripoSRConfig:
    """A few thousand parameters; 32 px pictures."""
    vit = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, image_size=32
    )
    settings: dict[str, Any] = {
        "cond_image_size": 32,
        "plane_size": 4,
        "channels": 16,
        "heads": 2,
        "head_dim": 8,
        "layers": 2,
        "norm_groups": 4,
        "plane_channels": 4,
        "neurons": 16,
        "hidden_layers": 2,
        "samples_per_ray": 16,
    }
    return TripoSRConfig(vit=vit, **{**settings, **changes})


def triposr(seed: int = 0, **changes: Any) -> TripoSR:
    """TripoSR with random weights."""
    torch.manual_seed(seed)
    return TripoSR(triposr_config(**changes)).eval().requires_grad_(False)


def triposr_shape(xy: Tensor, xz: Tensor, yz: Tensor, **changes: Any) -> TripoSR:
    """TripoSR that sees the same object in every picture: the intersection of three outlines.

    Args:
        xy, xz, yz: (S, S) bool with S a power of two, rows along the later axis, columns along the earlier.
    """
    size = len(xy)
    made = triposr(plane_size=size // 2, channels=4, norm_groups=1, hidden_layers=1, **changes)
    planes = torch.where(torch.stack([xy, xz, yz]), 0.0, 20.0)
    with torch.no_grad():
        # The tokens go through the backbone as they are; a channel for each of the four places that the
        # upsampling makes of one.
        made.backbone.proj_out.weight.zero_(), made.backbone.proj_out.bias.zero_()
        made.tokenizer.embeddings.copy_(F.pixel_unshuffle(planes[:, None], 2))
        up = made.post_processor.upsample
        up.weight.zero_(), up.bias.zero_()
        up.weight[:, 0] = torch.eye(4).reshape(4, 2, 2)
        for parameter in made.decoder.parameters():
            parameter.zero_()
        first, last = made.decoder.layers[0], made.decoder.layers[-1]
        first.weight[0, :: made.config.plane_channels] = 1.0  # the sum of what lies beyond the outlines
        last.weight[0, 0], last.bias[0] = -1.0, raw_level(25.0, "exp", -1.0) + 10
        last.bias[1:] = torch.tensor([2.0, 0.0, -2.0])
    return made
