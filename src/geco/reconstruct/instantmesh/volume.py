"""Parity: no command renders so; the training of the public model does, and its recorded numbers are met.

Volume rendering of a field in the cube [-1, 1]^3: box entry and exit, coarse and fine samples,
compositing.

The quadrature is InstantMesh's (EG3D's): densities and colours of neighbouring samples are averaged,
softplus(x - 1) comes after the averaging, half of the samples are drawn where the first half found density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Raw density of samples outside the cube: so low that softplus gives 0, finite so that neighbours can be
# averaged with it.
OUTSIDE_DENSITY = torch.finfo(torch.float32).min / 3

# (N, P, 3) points -> colours (N, P, 3) and raw densities (N, P, 1)
Field = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass
class Draws:
    """Uniform draws in [0, 1) that place the samples: coarse (N, R, Nc, 1) and fine (N, R, Nf)."""

    coarse: Tensor
    fine: Tensor

    @classmethod
    def random(cls, rays: Tensor, coarse: int, fine: int, generator: torch.Generator | None = None) -> Draws:
        """One draw a sample for rays (N, R, 3)."""
        shape, device = rays.shape[:2], rays.device
        return cls(
            torch.rand(*shape, coarse, 1, device=device, generator=generator),
            torch.rand(*shape, fine, device=device, generator=generator),
        )

    @classmethod
    def middle(cls, rays: Tensor, coarse: int, fine: int) -> Draws:
        """No randomness: the middle of every stratum, coarse and fine."""
        shape = rays.shape[:2]
        steps = (torch.arange(fine, device=rays.device, dtype=torch.float32) + 0.5) / fine
        return cls(torch.full((*shape, coarse, 1), 0.5, device=rays.device), steps.expand(*shape, fine))


@dataclass
class RayResult:
    """Per ray: rgb (N, R, 3), depth (N, R, 1) along the unit direction, weight (N, R, 1) opacity;
    and the sampling.
    """

    rgb: Tensor
    depth: Tensor
    weight: Tensor
    depths_coarse: Tensor  # (N, R, Nc, 1)
    weights_coarse: Tensor  # (N, R, Nc - 1, 1)
    depths_fine: Tensor  # (N, R, Nf, 1), in the order of the draws


def camera_rays(c2w: Tensor, intrinsics: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Rays through pixel centres, row by row.

    Args:
        c2w: (N, 4, 4) x right, y up, looking along -z.
        intrinsics: (N, 3, 3) normalised by the image size.
        size: pixels a side.

    Returns:
        Origins and unit directions, (N, size*size, 3).
    """
    steps = (torch.arange(size, device=c2w.device, dtype=c2w.dtype) + 0.5) / size
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    u, v = u.reshape(1, -1), v.reshape(1, -1)
    fx, fy, cx, cy, skew = (intrinsics[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2), (0, 1)))
    y = (v - cy) / fy
    x = (u - cx - skew * y) / fx
    one = torch.ones_like(x)
    # Through world points and back, as the reference does: its rounding decides where thin fine samples fall.
    world = torch.bmm(c2w, torch.stack([x, -y, -one, one], dim=1))[:, :3]
    directions = F.normalize((world - c2w[:, :3, 3:]).transpose(1, 2), dim=-1)
    return c2w[:, None, :3, 3].expand_as(directions), directions


def box_limits(origins: Tensor, directions: Tensor, side: float = 2.0) -> tuple[Tensor, Tensor]:
    """Entry and exit distances of rays (..., 3) through the cube of that side at the origin,
    (..., 1); -1 and -2 when missed.
    """
    inverse = 1.0 / directions
    low, high = (-side / 2 - origins) * inverse, (side / 2 - origins) * inverse
    enter = torch.minimum(low, high).amax(-1, keepdim=True)
    leave = torch.maximum(low, high).amin(-1, keepdim=True)
    hit = enter <= leave
    return torch.where(hit, enter, -torch.ones_like(enter)), torch.where(
        hit, leave, torch.full_like(leave, -2.0)
    )


def stratified_depths(start: Tensor, end: Tensor, draws: Tensor) -> Tensor:
    """(N, R, 1) limits and (N, R, S, 1) draws -> (N, R, S, 1): an inclusive linspace, each sample
    moved up to a step on.
    """
    count = draws.shape[-2]
    steps = torch.arange(count, device=start.device, dtype=start.dtype)[:, None] / (count - 1)
    span = (end - start)[..., None, :]
    return start[..., None, :] + steps * span + draws * (span / (count - 1))


def composite(
    colors: Tensor, densities: Tensor, depths: Tensor, white: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Quadrature along rays.

    Args:
        colors: (N, R, S, 3).
        densities: (N, R, S, 1) raw.
        depths: (N, R, S, 1) ascending.
        white: add a white background.

    Returns:
        rgb (N, R, 3); depth (N, R, 1): the sum of weight * middle, neither divided by the total weight nor
        clamped; weights (N, R, S - 1, 1).
    """
    colors, densities, middles = ((x[..., :-1, :] + x[..., 1:, :]) / 2 for x in (colors, densities, depths))
    alpha = 1 - torch.exp(-F.softplus(densities - 1) * (depths[..., 1:, :] - depths[..., :-1, :]))
    # 1e-10 keeps the product's gradient finite behind an opaque sample.
    through = torch.cat([torch.ones_like(alpha[..., :1, :]), 1 - alpha + 1e-10], dim=-2)
    weights = alpha * torch.cumprod(through, dim=-2)[..., :-1, :]
    rgb = (weights * colors).sum(-2)
    if white:
        rgb = rgb + 1 - weights.sum(-2)
    return rgb, (weights * middles).sum(-2), weights


def sample_pdf(bins: Tensor, weights: Tensor, draws: Tensor, eps: float = 1e-5) -> Tensor:
    """Inverse-CDF samples of a piecewise-constant density.

    Args:
        bins: (..., S + 1) edges.
        weights: (..., S) not normalised.
        draws: (..., K) in [0, 1].

    Returns:
        (..., K), in the order of the draws.
    """
    weights = weights + eps
    cdf = torch.cumsum(weights / weights.sum(-1, keepdim=True), dim=-1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], dim=-1).contiguous()
    above = torch.searchsorted(cdf, draws.contiguous(), right=True)
    below, above = (above - 1).clamp_min(0), above.clamp_max(weights.shape[-1])
    cdf_low, cdf_high = cdf.gather(-1, below), cdf.gather(-1, above)
    low, high = bins.gather(-1, below), bins.gather(-1, above)
    width = cdf_high - cdf_low
    width = torch.where(width < eps, torch.ones_like(width), width)
    return low + (draws - cdf_low) / width * (high - low)


@torch.no_grad()
def importance_depths(depths: Tensor, weights: Tensor, draws: Tensor) -> Tensor:
    """More samples where the coarse ones found something: (N, R, S, 1), (N, R, S - 1, 1), (N, R,
    K) -> (N, R, K, 1).
    """
    rays = depths.shape[:2]
    smooth = weights.reshape(-1, 1, weights.shape[-2]).to(torch.promote_types(weights.dtype, torch.float32))
    smooth = F.avg_pool1d(F.max_pool1d(smooth, 2, 1, padding=1), 2, 1)[:, 0] + 0.01
    middles = ((depths[..., :-1, 0] + depths[..., 1:, 0]) / 2).flatten(0, 1)
    return sample_pdf(middles, smooth[:, 1:-1], draws.flatten(0, 1)).reshape(*rays, -1, 1)


def render_rays(
    field: Field, origins: Tensor, directions: Tensor, draws: Draws, white: bool = True, chunk: int = 1 << 17
) -> RayResult:
    """Render rays (N, R, 3) through ``field``, at most about ``chunk`` points at a time.

    Rays that miss the cube get limits from those that hit it, and depth is clamped to the nearest and
    farthest sample, both over all the rays given (the reference's rules); how the work is cut into chunks
    changes nothing.
    """
    start, end = _limits(origins, directions)
    coarse, fine = draws.coarse.shape[-2], draws.fine.shape[-1]
    depths_coarse = stratified_depths(start, end, draws.coarse)
    rays = max(1, chunk // (len(origins) * max(coarse, fine)))
    parts = [
        _render_chunk(
            field, origins[:, cut], directions[:, cut], depths_coarse[:, cut], draws.fine[:, cut], white
        )
        for cut in (slice(i, i + rays) for i in range(0, origins.shape[1], rays))
    ]
    rgb, depth, weight, weights_coarse, depths_fine = (torch.cat(x, dim=1) for x in zip(*parts))
    nearest = torch.minimum(depths_coarse.min(), depths_fine.min()) if fine else depths_coarse.min()
    farthest = torch.maximum(depths_coarse.max(), depths_fine.max()) if fine else depths_coarse.max()
    depth = torch.nan_to_num(depth, float("inf")).clamp(nearest, farthest)
    return RayResult(rgb, depth, weight, depths_coarse, weights_coarse, depths_fine)


def _limits(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    start, end = box_limits(origins, directions)
    hit = end > start
    if not hit.any():
        # No ray meets the cube: any finite interval gives the background.
        return torch.zeros_like(start), torch.ones_like(end)
    # The reference ends missed rays at the largest START of the others; they hold nothing, only depth's clamp
    # sees it.
    return torch.where(hit, start, start[hit].min()), torch.where(hit, end, start[hit].max())


def _render_chunk(
    field: Field, origins: Tensor, directions: Tensor, depths: Tensor, draws: Tensor, white: bool
) -> tuple[Tensor, ...]:
    colors, densities = _evaluate(field, origins, directions, depths)
    rgb, depth, weights_coarse = composite(colors, densities, depths, white)
    if draws.shape[-1] == 0:
        return rgb, depth, weights_coarse.sum(-2), weights_coarse, depths[..., :0, :]
    depths_fine = importance_depths(depths, weights_coarse, draws)
    colors_fine, densities_fine = _evaluate(field, origins, directions, depths_fine)
    every = torch.cat([depths, depths_fine], dim=-2)
    every, order = torch.sort(every, dim=-2)
    colors = torch.cat([colors, colors_fine], dim=-2).gather(-2, order.expand(*order.shape[:-1], 3))
    densities = torch.cat([densities, densities_fine], dim=-2).gather(-2, order)
    rgb, depth, weights = composite(colors, densities, every, white)
    return rgb, depth, weights.sum(-2), weights_coarse, depths_fine


def _evaluate(field: Field, origins: Tensor, directions: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    points = origins[..., None, :] + depths * directions[..., None, :]
    colors, densities = field(points.flatten(1, 2))
    inside = (points.abs() <= 1).all(-1, keepdim=True)
    colors = torch.where(inside, colors.reshape(points.shape), torch.zeros_like(points))
    return colors, torch.where(
        inside, densities.reshape(depths.shape), torch.full_like(depths, OUTSIDE_DENSITY)
    )
