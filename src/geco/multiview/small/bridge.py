"""Through three dimensions and back: the views' features lifted into a volume, mixed there, and drawn into
every view.

Cameras are fixed, so lifting and drawing are plain gathers. SyncDreamer (arXiv 2309.03453) shares a volume
among its views in the same way; here it is small, and drawn front to back by its own density, so that views
agree by construction.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.cameras import Rig, orbit_poses, project_points
from geco.isosurface.grids import voxel_axis, voxel_centres
from geco.multiview.small.blocks import normalize
from geco.types import Longs

HALF_EXTENT = 1.0  # of the volume, world units: objects lie within radius 0.95
LIFTED = 16  # channels of a map that is lifted
# degrees: the condition's true elevation is unknown; the middle of the training range
PICTURE_ELEVATION = 10.0


class VolumeBlock(nn.Module):
    """Two 3x3x3 convolutions; the embedding scales and shifts between them. The second starts at zero."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(8, channels)
        self.conv_in = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm_out = nn.GroupNorm(8, channels)
        self.film = nn.Linear(embedding, 2 * channels)
        self.conv_out = nn.Conv3d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: (B, C, R, R, R); embedding: (B, E)."""
        hidden = self.conv_in(functional.silu(normalize(self.norm_in, x)))
        scale, shift = self.film(embedding)[:, :, None, None, None].chunk(2, dim=1)
        hidden = normalize(self.norm_out, hidden) * (1 + scale) + shift
        return x + self.conv_out(functional.silu(hidden))


class VolumeBridge(nn.Module):
    """Feature maps of the six views and of the condition -> volume -> feature maps of the six views.

    Args:
        rig: the six cameras.
        cells: side of the maps.
        channels: of the maps.
        size: voxels a side, a multiple of 4.
        width: channels of the volume; twice as many at half the size, four times at a quarter.
        embedding: width of the timestep embedding.
    """

    lift_index: Tensor
    draw_index: Tensor
    waves: Tensor

    def __init__(self, rig: Rig, cells: int, channels: int, size: int, width: int, embedding: int) -> None:
        super().__init__()
        self.cells, self.size, self.width, self.depths = cells, size, width, size
        lift, draw = constant_gathers(rig, cells, size)
        # (7 N,) rows of all maps' pixels
        self.register_buffer("lift_index", torch.from_numpy(lift), persistent=False)
        # (6 cells^2 D,) rows of voxels
        self.register_buffer("draw_index", torch.from_numpy(draw), persistent=False)
        axis = torch.from_numpy(voxel_axis(size, HALF_EXTENT)).float()
        waves = [axis, *(wave(axis * f) for f in (np.pi, 2 * np.pi) for wave in (torch.sin, torch.cos))]
        self.register_buffer("waves", torch.stack(waves, dim=1), persistent=False)  # (R, 5) of a coordinate
        self.lift_view = nn.Conv2d(channels, LIFTED, 1)
        self.lift_picture = nn.Conv2d(channels, LIFTED, 1)
        self.mix = nn.Linear(7 * LIFTED + 3 * self.waves.shape[1], 2 * width)
        self.enter = nn.Linear(2 * width, width)
        self.fine = VolumeBlock(width, embedding)
        self.down1 = nn.Conv3d(width, 2 * width, 2, stride=2)
        self.middle = VolumeBlock(2 * width, embedding)
        self.down2 = nn.Conv3d(2 * width, 4 * width, 2, stride=2)
        self.coarse = VolumeBlock(4 * width, embedding)
        self.up2 = nn.ConvTranspose3d(4 * width, 2 * width, 2, stride=2)
        self.middle_out = VolumeBlock(2 * width, embedding)
        self.up1 = nn.ConvTranspose3d(2 * width, width, 2, stride=2)
        self.leave = nn.Conv3d(width, width + 1, 3, padding=1)
        self.out = nn.Conv2d(width + 2, channels, 1)

    def forward(self, views: Tensor, picture: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Mix.

        Args:
            views: (B, 6, C, h, h) maps. picture: (B, C, h, h) the condition's. embedding: (B, E) of the
                timestep.

        Returns:
            What every view gets, (B, 6, C, h, h), and the volume's opacity in each of its pixels, (B, 6, h,
            h) in [0, 1].
        """
        batch = views.shape[0]
        # Sizes of the batch are always left to be inferred, so that an exported graph takes any.
        seen = self.lift_view(views.flatten(0, 1)).reshape(-1, 6, LIFTED, self.cells, self.cells)
        maps = torch.cat([seen, self.lift_picture(picture)[:, None]], dim=1)
        rows = maps.permute(1, 3, 4, 0, 2).reshape(7 * self.cells**2, -1)  # (7 h h, B L)
        # (B, N, 7 L)
        lifted = rows[self.lift_index].reshape(7, self.size**3, -1, LIFTED).permute(2, 1, 0, 3).flatten(2)
        voxels = torch.cat([lifted, self._position().to(lifted.dtype).expand(batch, -1, -1)], dim=2)
        x = (
            self.enter(functional.silu(self.mix(voxels)))
            .transpose(1, 2)
            .reshape(-1, self.width, *(self.size,) * 3)
        )
        return self.render(self._look_around(x, embedding))

    def _position(self) -> Tensor:
        """(N, 15): what is said of each voxel's x, y and z, side by side; order z, y, x."""
        shape = (self.size, self.size, self.size, -1)
        x, y, z = self.waves[None, None], self.waves[None, :, None], self.waves[:, None, None]
        return (
            torch.stack([x.expand(shape), y.expand(shape), z.expand(shape)], dim=-1).flatten(3).flatten(0, 2)
        )

    def _look_around(self, x: Tensor, embedding: Tensor) -> Tensor:
        x0 = self.fine(x, embedding)
        x1 = self.middle(self.down1(x0), embedding)
        x2 = self.coarse(self.down2(x1), embedding)
        x1 = self.middle_out(x1 + self.up2(x2), embedding)
        return self.leave(functional.silu(x0 + self.up1(x1)))

    def render(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """(B, width + 1, R, R, R), the last channel a raw density -> maps (B, 6, C, h, h) and
        opacity (B, 6, h, h).
        """
        channels = self.width + 1
        rows = volume.flatten(2).permute(2, 0, 1).reshape(self.size**3, -1)  # (N, B (w + 1))
        seen = rows[self.draw_index].reshape(6 * self.cells**2, self.depths, -1, channels)
        density = functional.softplus(seen[..., -1].float() - 2.0)  # starts nearly empty
        past = torch.cumsum(density, dim=1) - density
        weight = torch.exp(-past) * (1 - torch.exp(-density))  # (6 h h, D, B)
        features = (weight[..., None].to(seen.dtype) * seen[..., :-1]).sum(dim=1)
        opacity = weight.sum(dim=1)
        steps = torch.linspace(-1, 1, self.depths, device=volume.device)[:, None]
        depth = (weight * steps).sum(dim=1)
        joint = torch.cat(
            [features, opacity[..., None].to(seen.dtype), depth[..., None].to(seen.dtype)], dim=2
        )
        shape = (6, self.cells, self.cells, -1)
        maps = joint.reshape(*shape, self.width + 2).permute(3, 0, 4, 1, 2).flatten(0, 1)
        drawn = self.out(maps)
        return drawn.reshape(-1, 6, *drawn.shape[1:]), opacity.reshape(shape).permute(3, 0, 1, 2)


def constant_gathers(rig: Rig, cells: int, size: int) -> tuple[Longs, Longs]:
    """Nearest pixels of voxels in the seven maps, (7 N,), and nearest voxels of samples on the views' rays,
    (6 cells^2 size,).

    Rays are sampled at ``size`` depths across the volume, near to far; a sample outside takes the voxel on
    the border.
    """
    poses = np.concatenate([rig.poses(), orbit_poses(0.0, PICTURE_ELEVATION, rig.radius)[None]])
    where, _ = project_points(voxel_centres(size, HALF_EXTENT), poses, rig.fov)
    pixel = np.clip(np.floor(where * cells), 0, cells - 1).astype(np.int64)  # (7, N, 2)
    lift = pixel[..., 1] * cells + pixel[..., 0] + np.arange(7)[:, None] * cells**2
    focal = 0.5 / np.tan(np.radians(rig.fov) / 2)
    axis = ((np.arange(cells) + 0.5) / cells - 0.5) / focal
    local = np.stack(np.broadcast_arrays(axis[None, :], -axis[:, None], -1.0), axis=-1)  # (h, h, 3), depth 1
    depth = rig.radius + ((np.arange(size) + 0.5) / size * 2 - 1) * HALF_EXTENT
    c2w = rig.poses().astype(np.float64)
    rays = np.einsum("vij,hwj->vhwi", c2w[:, :3, :3], local)
    points = c2w[:, None, None, None, :3, 3] + rays[:, :, :, None] * depth[:, None]  # (6, h, h, D, 3)
    voxel = np.clip(np.floor((points / HALF_EXTENT + 1) / 2 * size), 0, size - 1).astype(np.int64)
    draw = (voxel[..., 2] * size + voxel[..., 1]) * size + voxel[..., 0]
    return lift.reshape(-1), draw.reshape(-1)
