"""What is at a point: signed distance and colour from the volume and from what the views show there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.cameras import intrinsics, invert, rig
from geco.reconstruct.small.config import SmallReconstructorConfig

DISTANCE_SCALE = 0.1  # world units a unit of the networks' signed distance


class PointField(nn.Module):
    """Two heads over one view-wise layer.

    The signed distance is the volume's first channel, interpolated, plus a correction; the colour is a
    softmax blend of the colours that the views show at the point plus a correction.
    """

    rotation: Tensor
    translation: Tensor

    def __init__(self, config: SmallReconstructorConfig) -> None:
        super().__init__()
        cameras = rig(config.rig)
        w2c = torch.from_numpy(invert(cameras.poses()))
        self.register_buffer("rotation", w2c[:, :3, :3].contiguous(), persistent=False)  # (V, 3, 3)
        self.register_buffer("translation", w2c[:, :3, 3].contiguous(), persistent=False)  # (V, 3)
        self.focal = float(2 * intrinsics(cameras.fov)[0, 0])
        self.radius = cameras.radius
        self.half_extent = config.half_extent
        self.own_color = config.own_color
        hidden, wide = config.view_hidden, config.point_hidden
        self.view = nn.Linear(config.map_channels + 1, hidden)
        self.view_bias = nn.Parameter(torch.zeros(config.views, 1, hidden))
        joint = config.views * hidden + config.volume_channels
        self.shape_in = nn.Linear(joint, wide)
        self.shape_mid = nn.Linear(wide, wide)
        self.shape_out = nn.Linear(wide, 1)
        self.color_in = nn.Linear(joint, config.color_hidden)
        self.color_view = nn.Linear(hidden, 16)
        self.color_joint = nn.Linear(config.color_hidden, 16)
        self.color_weight = nn.Linear(16, 1)
        self.color_rest = nn.Linear(config.color_hidden, 3)
        for layer in (self.shape_out, self.color_rest):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points (B, N, 3) -> where they lie in the views (B, V, N, 2) in [-1, 1] and depth -
        radius (B, V, N).
        """
        local = points[:, None] @ self.rotation.transpose(-1, -2) + self.translation[:, None]
        depth = -local[..., 2]
        where = torch.stack([local[..., 0], -local[..., 1]], dim=-1) * (self.focal / depth)[..., None]
        return where, depth - self.radius

    def sample(self, volume: Tensor, maps: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a point's heads read.

        Args:
            volume: (B, C, R, R, R), axes z, y, x. maps: (B, V, M, S, S). points: (B, N, 3) world units.

        Returns:
            Volume features (B, N, C), map features (B, V, N, M), depth - radius (B, V, N).
        """
        batch = points.shape[0]
        inside = F.grid_sample(
            volume, (points / self.half_extent)[:, :, None, None], align_corners=False, padding_mode="border"
        )
        where, depth = self.look(points)
        seen = F.grid_sample(
            maps.flatten(0, 1), where.flatten(0, 1)[:, :, None], align_corners=False, padding_mode="border"
        )
        return (
            inside[..., 0, 0].transpose(1, 2),
            seen[..., 0].unflatten(0, (batch, maps.shape[1])).transpose(2, 3),
            depth,
        )

    def mix(self, inside: Tensor, seen: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """View features (B, V, N, H) and all of a point's features (B, N, V H + C)."""
        views = torch.relu(self.view(torch.cat([seen, depth[..., None]], dim=-1)) + self.view_bias)
        return views, torch.cat([views.permute(0, 2, 1, 3).flatten(2), inside], dim=-1)

    def shape(self, joint: Tensor, inside: Tensor) -> Tensor:
        """Signed distance (B, N), world units, negative inside."""
        hidden = torch.relu(self.shape_mid(torch.relu(self.shape_in(joint))))
        return (inside[..., 0] + self.shape_out(hidden)[..., 0]) * DISTANCE_SCALE

    def tint(self, views: Tensor, joint: Tensor, rgb: Tensor) -> Tensor:
        """views (B, V, N, H), joint (B, N, J), rgb (B, V, N, 3) -> colour (B, N, 3), not clipped."""
        hidden = torch.relu(self.color_in(joint))
        # (B, V, N, 1)
        logits = self.color_weight(torch.relu(self.color_view(views) + self.color_joint(hidden)[:, None]))
        return (torch.softmax(logits, dim=1) * rgb).sum(dim=1) + self.own_color * self.color_rest(hidden)

    def sdf(self, volume: Tensor, maps: Tensor, points: Tensor) -> Tensor:
        """points (B, N, 3) -> signed distance (B, N)."""
        inside, seen, depth = self.sample(volume, maps, points)
        return self.shape(self.mix(inside, seen, depth)[1], inside)

    def color(self, volume: Tensor, maps: Tensor, points: Tensor) -> Tensor:
        """points (B, N, 3) -> sRGB (B, N, 3), about [0, 1], not clipped."""
        inside, seen, depth = self.sample(volume, maps, points)
        views, joint = self.mix(inside, seen, depth)
        return self.tint(views, joint, seen[..., :3])
