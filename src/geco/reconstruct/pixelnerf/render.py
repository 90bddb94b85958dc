"""Volume rendering of a scene along rays, coarse samples first, then more where they found something.

The quadrature is the one of :mod:`geco.reconstruct.instantmesh.volume`; the way through the object is that
through a sphere around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.reconstruct.instantmesh.volume import Draws, composite, importance_depths, stratified_depths
from geco.reconstruct.pixelnerf.model import PixelNeRF, Scene

SHORTEST = 1e-3  # half the way through the sphere of a ray that misses it, world units


@dataclass(frozen=True)
class Rays:
    """Rays of B objects and the spheres that hold those.

    Attributes:
        origins, directions: (B, R, 3), unit directions.
        centre: (B, 3). radius: (B,).
    """

    origins: Tensor
    directions: Tensor
    centre: Tensor
    radius: Tensor

    def limits(self) -> tuple[Tensor, Tensor]:
        """Where rays enter and leave the sphere, (B, R, 1) each, along them; one that misses it has a way of
        nearly nothing where it comes nearest.
        """
        away = self.origins - self.centre[:, None]
        middle = -(away * self.directions).sum(-1, keepdim=True)
        nearest = (away.square().sum(-1, keepdim=True) - middle.square()).clamp_min(0)
        half = (self.radius[:, None, None].square() - nearest).clamp_min(SHORTEST**2).sqrt()
        return middle - half, middle + half


@dataclass(frozen=True)
class Rendered:
    """rgb (B, R, 3) on white and opacity (B, R, 1), of coarse samples alone too."""

    rgb: Tensor
    opacity: Tensor
    coarse_rgb: Tensor
    coarse_opacity: Tensor


def render(model: PixelNeRF, scene: Scene, rays: Rays, draws: Draws) -> Rendered:
    """The colours that arrive along ``rays``; ``draws`` places the samples."""
    depths = stratified_depths(*rays.limits(), draws.coarse)
    colors, densities = _ask(model, scene, rays, depths)
    coarse_rgb, _, weights = composite(colors, densities, depths)
    coarse_opacity = weights.sum(-2)
    if draws.fine.shape[-1] == 0:
        return Rendered(coarse_rgb, coarse_opacity, coarse_rgb, coarse_opacity)
    more = importance_depths(depths, weights, draws.fine)
    found = _ask(model, scene, rays, more)
    every, order = torch.cat([depths, more], dim=-2).sort(dim=-2)
    colors = torch.cat([colors, found[0]], dim=-2).gather(-2, order.expand(*order.shape[:-1], 3))
    densities = torch.cat([densities, found[1]], dim=-2).gather(-2, order)
    rgb, _, weights = composite(colors, densities, every)
    return Rendered(rgb, weights.sum(-2), coarse_rgb, coarse_opacity)


def _ask(model: PixelNeRF, scene: Scene, rays: Rays, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Colours (B, R, S, 3) and raw densities (B, R, S, 1) at depths (B, R, S, 1)."""
    points = rays.origins[..., None, :] + depths * rays.directions[..., None, :]
    directions = rays.directions[..., None, :].expand_as(points)
    colors, densities = model.outputs(scene, points.flatten(1, 2), directions.flatten(1, 2))
    return colors.reshape(points.shape), densities.reshape(depths.shape)
