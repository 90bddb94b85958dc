"""What is optimised first: signed distances and colours on a dense grid, rendered as a volume.

The density of a signed distance s is VolSDF's (Yariv et al. 2021, arXiv 2106.12052, equations 2 and 3):
sigma = Psi(-s) / width with Psi the Laplace distribution's cumulative function, so that the surface that the
second phase starts from is there all along, and only gets sharper as ``width`` falls.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.optimize.rays import Packed, Rays
from geco.types import Floats

EXTENT = 1.0  # the grid spans [-EXTENT, EXTENT]^3, world units, as the small reconstructor's
START_RADIUS = 0.5  # of the ball at the start; objects of the teachers' data fill a ball of 0.95
# A sample counts where its cell could hide this part of what is behind it.
FAINTEST = 2e-3
# Behind this much nothing is seen.
HIDDEN = 2e-3


class Volume(nn.Module):
    """A dense grid of R cells a side.

    Attributes:
        sdf: (R + 1, R + 1, R + 1), world units, negative inside, axes z, y, x.
        tint: (3, R + 1, R + 1, R + 1), colours before the sigmoid.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        axis = torch.linspace(-EXTENT, EXTENT, resolution + 1)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        self.sdf = nn.Parameter((x**2 + y**2 + z**2).sqrt() - START_RADIUS)
        self.tint = nn.Parameter(torch.zeros(3, *self.sdf.shape))

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> Volume:
        """Of what ``state_dict`` gave."""
        made = cls(tensors["sdf"].shape[0] - 1)
        made.load_state_dict(tensors)
        return made

    @property
    def resolution(self) -> int:
        """Cells a side."""
        return self.sdf.shape[0] - 1

    @property
    def cell(self) -> float:
        """Side of a cell, world units."""
        return 2 * EXTENT / self.resolution

    @torch.no_grad()
    def refine(self, resolution: int) -> None:
        """Go over to a finer grid, interpolated; parameters are new ones."""
        size = (resolution + 1,) * 3
        for name in ("sdf", "tint"):
            old: Tensor = getattr(self, name)
            whole = old.reshape(1, -1, *old.shape[-3:])
            finer = F.interpolate(whole, size, mode="trilinear", align_corners=True)
            setattr(self, name, nn.Parameter(finer.reshape(*old.shape[:-3], *size)))

    def at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance (N,) and colour (N, 3) in [0, 1] at world points (N, 3)."""
        both = torch.cat([self.sdf[None], self.tint])[None]
        read = F.grid_sample(both, points[None, None, None] / EXTENT, align_corners=True)[0, :, 0, 0]
        return read[0], torch.sigmoid(read[1:].T)

    def color(self, points: Tensor) -> Tensor:
        """Colour (N, 3) in [0, 1] at world points (N, 3)."""
        read = F.grid_sample(self.tint[None], points[None, None, None] / EXTENT, align_corners=True)
        return torch.sigmoid(read[0, :, 0, 0].T)

    @torch.no_grad()
    def solid(self) -> Floats:
        """(N, 3) grid points inside, world units."""
        z, y, x = torch.nonzero(self.sdf < 0, as_tuple=True)
        found: Floats = (torch.stack([x, y, z], dim=1) * self.cell - EXTENT).cpu().numpy()
        return found

    def unevenness(self) -> tuple[Tensor, Tensor]:
        """How far the gradient's length is from 1 (eikonal), and how much the distance bends."""
        s, h = self.sdf, self.cell
        steps = [torch.diff(s, dim=axis) / h for axis in range(3)]
        gz, gy, gx = steps
        length = torch.sqrt(gz[:, :-1, :-1] ** 2 + gy[:-1, :, :-1] ** 2 + gx[:-1, :-1] ** 2 + 1e-12)
        bends = [torch.diff(step, dim=axis).square().mean() for axis, step in enumerate(steps)]
        return (length - 1).square().mean(), torch.stack(bends).sum()

    def roughness(self) -> Tensor:
        """How much neighbouring colours differ."""
        return torch.stack([torch.diff(self.tint, dim=axis).square().mean() for axis in (1, 2, 3)]).mean()

    @torch.no_grad()
    def pack(self, rays: Rays, width: float) -> Packed:
        """The samples of rays that can be seen now; to be looked for again when the surface has moved."""
        step = self.cell
        nearest = -F.max_pool3d(-self.sdf[None, None], 4, 1, padding=1)[0, 0]
        solid = 1 - torch.exp(-density(nearest, width) * step) > FAINTEST
        packed = rays.pack(solid, EXTENT, step)
        distance, _ = self.at(packed.points(0.5))
        _, through = packed.weights(density(distance, width))
        return packed.only(through > HIDDEN)

    def render(self, packed: Packed, width: float, jitter: float = 0.5) -> tuple[Tensor, Tensor]:
        """Colours over white (..., H, W, 3) and coverage (..., H, W) of packed rays."""
        distance, color = self.at(packed.points(jitter))
        weight, _ = packed.weights(density(distance, width))
        mask = packed.sum(weight[:, None])[..., 0]
        return packed.sum(weight[:, None] * color) + (1 - mask)[..., None], mask


def density(distance: Tensor, width: float) -> Tensor:
    """VolSDF's density of signed distances, per world unit."""
    half = 0.5 * torch.exp(-distance.abs() / width)
    return torch.where(distance > 0, half, 1 - half) / width


def width_at(progress: float, first: float, last: float) -> float:
    """Of the density's edge, falling geometrically over the volume's part of the run."""
    return math.exp(math.log(first) + min(max(progress, 0.0), 1.0) * math.log(last / first))
