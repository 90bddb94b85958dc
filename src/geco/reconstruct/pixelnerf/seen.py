"""The cameras that took the pictures: where points lie in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NEAREST = 0.05  # world units; what is not so far in front of a camera is taken to be


@dataclass(frozen=True)
class Cameras:
    """Of V pictures of each of B objects.

    Attributes:
        c2w: (B, V, 4, 4) camera-to-world, x right, y up, looking along -z.
        lenses: (B, V, 3) focal length, cx, cy, over the picture's side.
    """

    c2w: Tensor
    lenses: Tensor

    def turned(self, vectors: Tensor) -> Tensor:
        """World vectors (B, P, 3) in each camera's axes, (B, V, P, 3)."""
        return vectors[:, None] @ self.c2w[..., :3, :3]

    def project(self, points: Tensor) -> Tensor:
        """World points (B, P, 3) -> where they lie in each picture, (B, V, P, 2), -1 to 1, v down."""
        local = (points[:, None] - self.c2w[..., None, :3, 3]) @ self.c2w[..., :3, :3]
        depth = (-local[..., 2:]).clamp_min(NEAREST)
        focal, centre = self.lenses[..., None, :1], self.lenses[..., None, 1:]
        flip = local.new_tensor([1.0, -1.0])
        return 2 * (focal * local[..., :2] * flip / depth + centre) - 1


def read(maps: Tensor, places: Tensor) -> Tensor:
    """Maps (B, V, C, H, W) at places (B, V, P, 2) of :meth:`Cameras.project`, between pixels, the border's
    beyond it: (B, V, P, C).
    """
    batch, views = maps.shape[:2]
    found = F.grid_sample(
        maps.flatten(0, 1), places.flatten(0, 1)[:, :, None], padding_mode="border", align_corners=False
    )
    return found[..., 0].transpose(1, 2).unflatten(0, (batch, views))


def pixel_rays(c2w: Tensor, lenses: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Rays through places of pictures.

    Args:
        c2w: (..., 4, 4). lenses: (..., 3).
        places: (..., 2) as u, v in [0, 1], v down.

    Returns:
        Origins and unit directions, (..., 3).
    """
    x, y = ((places - lenses[..., 1:]) / lenses[..., :1]).unbind(-1)
    local = torch.stack([x, -y, -torch.ones_like(x)], dim=-1)
    directions = F.normalize((c2w[..., :3, :3] @ local[..., None])[..., 0], dim=-1)
    return c2w[..., :3, 3].expand_as(directions), directions
