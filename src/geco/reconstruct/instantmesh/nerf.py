"""The NeRF variant: density and colour at points, on grids, and volume rendered (``render``: parity with the
public model's training, which no command needs).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.instantmesh.decoders import NeRFDecoder, activate_density
from geco.reconstruct.instantmesh.volume import Draws, RayResult, camera_rays, render_rays
from geco.reconstruct.triplane import point_features


@dataclass
class NerfImages:
    """rgb (B, M, 3, S, S) on white, depth (B, M, 1, S, S), weight (B, M, 1, S, S) opacity; rays:
    the sampling behind them.
    """

    rgb: Tensor
    depth: Tensor
    weight: Tensor
    rays: RayResult


class NerfSynthesizer(nn.Module):
    """Fields of planes (B, 3, C, H, W) in the cube [-1, 1]^3."""

    def __init__(self, config: InstantMeshConfig) -> None:
        super().__init__()
        self.decoder = NeRFDecoder(config.triplane_dim)
        self.samples_per_ray = config.rendering_samples_per_ray

    def raw(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, P, 3) -> colours (B, P, 3), raw densities (B, P, 1); points outside the cube
        read empty planes.
        """
        return self.decoder(point_features(planes, points))

    def points(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, P, 3) -> colours (B, P, 3) in (-0.001, 1.001), densities (B, P, 1) >= 0."""
        colors, raw = self.raw(planes, points)
        return colors, activate_density(raw)

    def density_grid(self, planes: Tensor, resolution: int, chunk: int = 1 << 16) -> Tensor:
        """Densities on linspace(-1, 1, resolution)^3, indices [x, y, z]: (B, resolution,
        resolution, resolution).
        """
        axis = torch.linspace(-1, 1, resolution, device=planes.device)
        corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        parts = [self.points(planes, part.expand(len(planes), -1, -1))[1] for part in corners.split(chunk)]
        return torch.cat(parts, dim=1).reshape(len(planes), resolution, resolution, resolution)

    def render(
        self, planes: Tensor, cameras: Tensor, size: int, draws: Draws | None = None, chunk: int = 1 << 17
    ) -> NerfImages:
        """Volume rendering.

        Args:
            planes: (B, 3, C, H, W).
            cameras: (B, M, 25) geco.cameras.render_vectors.
            size: pixels a side.
            draws: where the samples lie, for B*M images; None takes the middle of every stratum.
            chunk: points evaluated at a time; changes memory only.
        """
        batch, views = cameras.shape[:2]
        flat = cameras.flatten(0, 1).to(torch.promote_types(planes.dtype, torch.float32))
        origins, directions = camera_rays(
            flat[:, :16].reshape(-1, 4, 4), flat[:, 16:].reshape(-1, 3, 3), size
        )
        if draws is None:
            draws = Draws.middle(origins, *self.split_samples())
        repeated = planes.repeat_interleave(views, dim=0)
        rays = render_rays(lambda points: self.raw(repeated, points), origins, directions, draws, chunk=chunk)
        rgb, depth, weight = (
            x.transpose(1, 2).reshape(batch, views, -1, size, size)
            for x in (rays.rgb, rays.depth, rays.weight)
        )
        return NerfImages(rgb, depth, weight, rays)

    def split_samples(self) -> tuple[int, int]:
        """Coarse and fine samples a ray: half and half."""
        return self.samples_per_ray // 2, self.samples_per_ray // 2
