"""Parity: no command renders so; TripoSR's recorded pictures are met.

Quadrature of the public code: midpoints of equal pieces between entry and exit of the box, whose lengths are
counted in parts of the ray's way through it rather than in world units; a white background.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from geco.cameras import circular_poses
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.triposr.decoder import Decoder, activate, point_outputs

_TIGHTER = 1 - 1e-3  # the box is made smaller, so that entry and exit lie within the planes
_LEAST_WAY = 0.01  # rays with a shorter way through the box show the background
_LEAST_DIRECTION = 1e-6  # in place of direction components nearer to 0
_EPS = 1e-10


def spherical_rays(
    views: int, elevation: float, distance: float, fov: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Rays through the pixels of cameras that look at the origin, equal steps of azimuth, the first on +x.

    Args:
        elevation, fov: degrees; ``fov`` is the picture's height.
        distance: TripoSR's units.

    Returns:
        Origins and unit directions, (V, H, W, 3).
    """
    poses = torch.from_numpy(circular_poses(views, distance, elevation))
    focal = 0.5 * height / torch.tan(torch.deg2rad(torch.tensor(fov)) / 2)
    across = (torch.arange(width) + 0.5 - width / 2) / focal
    down = (torch.arange(height) + 0.5 - height / 2) / focal
    v, u = torch.meshgrid(down, across, indexing="ij")
    local = torch.stack([u, -v, -torch.ones_like(u)], dim=-1)
    directions = F.normalize(torch.einsum("nij,hwj->nhwi", poses[:, :3, :3], local), dim=-1)
    return poses[:, None, None, :3, 3].expand_as(directions), directions


def render(
    decoder: Decoder, planes: Tensor, origins: Tensor, directions: Tensor, config: TripoSRConfig
) -> Tensor:
    """One object's pictures.

    Args:
        planes: (1, 3, C, H, W).
        origins, directions: (..., 3), TripoSR's units.

    Returns:
        (..., 3) colours on white.
    """
    o, d = origins.reshape(-1, 3), directions.reshape(-1, 3)
    start, end = _limits(o, d, config.radius)
    hit = (end - start)[:, 0] > _LEAST_WAY
    rgb = torch.ones_like(d)
    steps = torch.linspace(0, 1, config.samples_per_ray + 1, device=d.device)
    middles = (steps[:-1] + steps[1:]) / 2
    depths = start[hit] * (1 - middles) + end[hit] * middles
    points = o[hit][:, None] + depths[..., None] * d[hit][:, None]
    raw = point_outputs(decoder, planes, points.reshape(1, -1, 3), config).reshape(*depths.shape, 4)
    density = activate(raw[..., 0] + config.density_bias, config.density_activation)
    alpha = 1 - torch.exp(-(steps[1:] - steps[:-1]) * density)
    through = torch.cumprod(1 - alpha[:, :-1] + _EPS, dim=-1)
    weights = alpha * torch.cat([torch.ones_like(alpha[:, :1]), through], dim=-1)
    colors = activate(raw[..., 1:], config.color_activation)
    rgb[hit] = (weights[..., None] * colors).sum(-2) + 1 - weights.sum(-1, keepdim=True)
    return rgb.reshape(directions.shape)


def _limits(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """(R, 1) distances of entry, at least 0, and exit."""
    small = directions.abs() < _LEAST_DIRECTION
    safe = torch.where(small, torch.full_like(directions, _LEAST_DIRECTION), directions)
    first, second = (_TIGHTER * radius - origins) / safe, (-_TIGHTER * radius - origins) / safe
    start = torch.minimum(first, second).amax(-1, keepdim=True).clamp_min(0)
    return start, torch.maximum(first, second).amin(-1, keepdim=True)
