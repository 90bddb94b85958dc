"""Rays of some pictures through a cube, and the few samples along them that anything is seen of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.cameras import intrinsics


@dataclass(frozen=True)
class Rays:
    """One ray a pixel.

    Attributes:
        origin, direction: (N, 3) world; directions are unit vectors.
        shape: of the pictures, (..., H, W), whose pixels the rays are.
    """

    origin: Tensor
    direction: Tensor
    shape: tuple[int, ...]

    def pack(self, solid: Tensor, extent: float, step: float) -> Packed:
        """The samples in cells marked ``solid`` (R, R, R), axes z, y, x, of [-extent, extent]^3; a sample
        stands for ``step`` world units.
        """
        inverse = 1 / torch.where(self.direction.abs() < 1e-8, 1e-8, self.direction)
        ends = torch.stack([(side * extent - self.origin) * inverse for side in (-1, 1)])
        near, far = ends.amin(0).amax(1).clamp(min=0), ends.amax(0).amin(1)
        count = torch.where(far > near, (far - near) / step, 0).ceil().long()
        ray = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
        place = torch.arange(len(ray), device=ray.device) - (torch.cumsum(count, 0) - count)[ray]
        start = near[ray] + place * step
        cells = solid.shape[0]
        points = self.origin[ray] + self.direction[ray] * (start + 0.5 * step)[:, None]
        x, y, z = ((points / extent + 1) * (0.5 * cells)).long().clamp_(0, cells - 1).unbind(1)
        kept = solid[z, y, x]
        return Packed(self, ray[kept], start[kept], step)


@dataclass(frozen=True)
class Packed:
    """Samples of rays, ray after ray and near to far.

    Attributes:
        ray: (M,) which. start: (M,) where the sample's piece of ``step`` world units begins.
    """

    rays: Rays
    ray: Tensor
    start: Tensor
    step: float

    def points(self, jitter: float) -> Tensor:
        """(M, 3) world points at this part of every piece."""
        along = self.start + jitter * self.step
        return self.rays.origin[self.ray] + self.rays.direction[self.ray] * along[:, None]

    def weights(self, density: Tensor) -> tuple[Tensor, Tensor]:
        """What of each sample (M,) is seen, and what is let through before it, (M,) each."""
        depth = density * self.step
        # over all rays at once, in float64: a float32 sum of a million samples would lose the last ones
        total = torch.cumsum(depth.double(), 0)
        first = torch.ones_like(self.ray, dtype=torch.bool)
        first[1:] = self.ray[1:] != self.ray[:-1]
        before = total - depth
        begin = before[first][torch.cumsum(first, 0) - 1] if len(total) else before
        through = torch.exp(-(before - begin)).float()
        return through * (1 - torch.exp(-depth)), through

    def sum(self, values: Tensor) -> Tensor:
        """(M, C) summed by ray: (..., H, W, C)."""
        count = self.rays.origin.shape[0]
        total = values.new_zeros(count, values.shape[1]).index_add(0, self.ray, values)
        return total.reshape(*self.rays.shape, values.shape[1])

    def along(self, rays: Rays) -> Packed:
        """The same samples of rays that are nearly the same, with their gradients."""
        return Packed(rays, self.ray, self.start, self.step)

    def only(self, kept: Tensor) -> Packed:
        """Some of the samples."""
        return Packed(self.rays, self.ray[kept], self.start[kept], self.step)


def rays_of(c2w: Tensor, fov: float, size: int) -> Rays:
    """Of pinhole cameras (..., 4, 4), a ray through every pixel's centre."""
    axis = (torch.arange(size, device=c2w.device) + 0.5) / size - 0.5
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    return _through(c2w, right, down, fov)


def rays_of_window(pose: Tensor, scale: Tensor, offset: Tensor, fov: float, size: int) -> Rays:
    """Of what a window shows of the camera (4, 4): stretched by ``scale``, moved by ``offset`` (right, down);
    with gradients to all three.
    """
    axis = (torch.arange(size, device=pose.device) + 0.5) / size - 0.5
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    return _through(pose, (right - offset[0]) / scale, (down - offset[1]) / scale, fov)


def _through(c2w: Tensor, right: Tensor, down: Tensor, fov: float) -> Rays:
    focal = float(intrinsics(fov)[0, 0])
    local = torch.stack([right / focal, -down / focal, -torch.ones_like(right)], dim=-1)
    cameras = c2w.reshape(-1, 4, 4)
    direction = torch.nn.functional.normalize(
        torch.einsum("cij,hwj->chwi", cameras[:, :3, :3], local), dim=-1
    )
    origin = cameras[:, None, None, :3, 3].expand_as(direction)
    shape = (*c2w.shape[:-2], *right.shape)
    return Rays(origin.reshape(-1, 3), direction.reshape(-1, 3), shape)
