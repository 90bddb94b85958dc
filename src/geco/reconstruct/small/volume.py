"""Feature maps to a feature volume: constant lifting through fixed cameras, then a small 3-D UNet."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geco.cameras import orbit_poses, project_points, rig
from geco.isosurface.grids import voxel_centres
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.encoder import ResidualBlock


def lifting_poses(config: SmallReconstructorConfig) -> np.ndarray:
    """(V + 1, 4, 4) camera-to-world of the views and, last, of the clean picture at its assumed elevation."""
    cameras = rig(config.rig)
    nominal = orbit_poses(0.0, config.picture_elevation, cameras.radius)[None]
    return np.concatenate([cameras.poses(), nominal])


def lifting_coordinates(config: SmallReconstructorConfig) -> tuple[np.ndarray, np.ndarray]:
    """Where every voxel lies in the views and the clean picture: (V + 1, N, 2) in [-1, 1] and depth - radius
    (V + 1, N).

    Places are moved to the nearest pixel centre of a map of the full view size (at most half a pixel), so
    that at inference lifting is one plain gather from the half-size map doubled bilinearly.
    """
    cameras = rig(config.rig)
    points = voxel_centres(config.volume_size, config.half_extent)
    where, depth = project_points(points, lifting_poses(config), cameras.fov)
    pixel = np.clip(np.floor(where * config.view_size), 0, config.view_size - 1)
    snapped = ((pixel + 0.5) / config.view_size).astype(np.float32)
    return snapped * 2 - 1, depth - np.float32(cameras.radius)


class _SparseProduct(torch.autograd.Function):
    """matrix @ dense for a constant sparse matrix given with its transpose; the gradient of
    grid_sample is ten times slower.
    """

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        with torch.autocast(dense.device.type, enabled=False):  # there is no sparse product in bfloat16
            return matrix @ dense

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        with torch.autocast(gradient.device.type, enabled=False):
            return ctx.transposed @ gradient.float().contiguous(), None, None


class Lifting:
    """Bilinear sampling of V + 1 maps at constant places as one sparse matrix."""

    def __init__(self, where: np.ndarray, size: int) -> None:
        """where: (V + 1, N, 2) in [-1, 1]; size: side of the maps."""
        self.index, self.weight = bilinear(torch.from_numpy(where), size)
        views, count = where.shape[:2]
        rows = torch.arange(views * count)[:, None].expand(-1, 4).reshape(-1)
        columns = (self.index + torch.arange(views)[:, None, None] * size * size).reshape(-1)
        shape = (views * count, views * size * size)
        with warnings.catch_warnings():
            # torch calls its CSR tensors beta; two products are all that is asked of them
            warnings.simplefilter("ignore")
            matrix = torch.sparse_coo_tensor(torch.stack([rows, columns]), self.weight.reshape(-1), shape)
            self.matrix = matrix.coalesce().to_sparse_csr()
            self.transposed = matrix.t().coalesce().to_sparse_csr()

    def __deepcopy__(self, memo: dict[int, Any]) -> Lifting:
        return self  # constants

    def __call__(self, maps: Tensor) -> Tensor:
        """maps (B, V + 1, L, s, s) -> (B, V + 1, L, N)."""
        batch, views, channels = maps.shape[:3]
        if self.matrix.device != maps.device:
            self.matrix, self.transposed = self.matrix.to(maps.device), self.transposed.to(maps.device)
        # to (views x pixels, batch x channels): one product for all
        dense = maps.permute(1, 3, 4, 0, 2).reshape(-1, batch * channels).float()
        lifted = _SparseProduct.apply(dense, self.matrix, self.transposed)
        return lifted.reshape(views, -1, batch, channels).permute(2, 0, 3, 1)


def bilinear(where: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The four pixels around each place of a size x size map and their weights, edges repeated; (..., 4)
    each.

    where: (..., 2) in [-1, 1], (x, y), the map's outer edges at -1 and 1 (grid_sample with
        align_corners=False).
    """
    place = ((where + 1) * (0.5 * size) - 0.5).clamp(0, size - 1)
    corner = place.floor().clamp(max=size - 2)
    x, y = corner.long().unbind(-1)
    fx, fy = (place - corner).unbind(-1)
    first = y * size + x
    index = torch.stack([first, first + 1, first + size, first + size + 1], dim=-1)
    return index, torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], dim=-1)


class VolumeNet(nn.Module):
    """Lift, mix the views voxel by voxel, then look at the neighbourhood with a 3-D UNet."""

    depth: Tensor
    position: Tensor

    def __init__(self, config: SmallReconstructorConfig) -> None:
        super().__init__()
        self.size = config.volume_size
        where, depth = lifting_coordinates(config)
        self.lifting = Lifting(where, config.view_size // 2)
        self.register_buffer("depth", torch.from_numpy(depth)[:, None], persistent=False)  # (V + 1, 1, N)
        centres = torch.from_numpy(voxel_centres(self.size, 1.0)).float().T
        waves = [
            torch.cat([centres, torch.sin(centres * f), torch.cos(centres * f)]) for f in (np.pi, 2 * np.pi)
        ]
        self.register_buffer("position", torch.cat(waves), persistent=False)  # (18, N)
        w0, w1, w2 = config.volume_widths
        channels = config.lift_channels
        self.view_depth = nn.Parameter(torch.randn(config.views + 1, channels, 1) * 0.5)
        self.view_bias = nn.Parameter(torch.zeros(config.views + 1, channels, 1))
        self.mix = nn.Conv1d((config.views + 1) * channels + len(self.position), 2 * w0, 1)
        self.enter = nn.Conv1d(2 * w0, w0, 1)
        self.first = nn.Conv3d(w0, w0, 3, padding=1)
        self.down1 = nn.Conv3d(w0, w1, 2, stride=2)
        self.level1 = ResidualBlock(w1, 3)
        self.down2 = nn.Conv3d(w1, w2, 2, stride=2)
        self.level2 = ResidualBlock(w2, 3)
        self.up1 = nn.ConvTranspose3d(w2, w1, 2, stride=2)
        self.out1 = ResidualBlock(w1, 3)
        self.up0 = nn.ConvTranspose3d(w1, w0, 2, stride=2)
        self.norm = nn.GroupNorm(min(8, w0), w0)
        self.last = nn.Conv3d(w0, w0, 3, padding=1)
        self.head = nn.Conv3d(w0, config.volume_channels, 1)

    def forward(self, lift: Tensor) -> Tensor:
        """lift (B, V + 1, L, s, s) -> volume (B, C, R, R, R), axes z, y, x."""
        return self.mix_views(self.lifting(lift))

    def mix_views(self, seen: Tensor) -> Tensor:
        """seen (B, V + 1, L, N) features of every voxel in every picture -> volume (B, C, R, R, R)."""
        batch = seen.shape[0]
        views = torch.relu(seen + self.view_depth * self.depth + self.view_bias).flatten(1, 2)
        position = self.position.expand(batch, -1, -1)
        return self.look_around(self.enter(torch.relu(self.mix(torch.cat([views, position], dim=1)))))

    def look_around(self, voxels: Tensor) -> Tensor:
        """voxels (B, w, N) -> volume (B, C, R, R, R): the 3-D UNet."""
        x = voxels.reshape(len(voxels), -1, self.size, self.size, self.size)
        x0 = x + self.first(torch.relu(x))
        x1 = self.level1(self.down1(x0))
        x2 = self.level2(self.down2(x1))
        x1 = self.out1(x1 + self.up1(x2))
        x0 = x0 + self.up0(x1)
        x0 = x0 + self.last(torch.relu(self.norm(x0)))
        return self.head(torch.relu(x0))
