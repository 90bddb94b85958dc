"""A surface as points spread evenly over it: what a camera is searched with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.on_device.types import DeviceMesh
from geco.on_device.view import surface_colors
from geco.photo.surface_points import COUNT, STEPS

_BITS = 40  # of the largest face's area, counted in whole numbers: their running sum is the same on every run


@dataclass
class SurfacePoints:
    """Points on a mesh, in the order of its faces: (N, 3) float32 positions, (N, 3) float32 colours in
    [0, 1].
    """

    positions: Tensor
    colors: Tensor


def surface_points(mesh: DeviceMesh, count: int = COUNT) -> SurfacePoints:
    """``count`` points of a mesh that has area, as many an area everywhere, with its colours; always the same
    ones.
    """
    a, b, c = mesh.corners()
    double = torch.linalg.vector_norm(torch.linalg.cross(b - a, c - a), dim=1)
    whole = torch.round(double / double.amax() * 2.0 ** min(_BITS, 61 - len(double).bit_length())).long()
    reached = torch.cumsum(whole, dim=0)
    # Face f has the points whose place on the line of all areas lies within its own part of it.
    ends = (reached.to(double.dtype) / reached[-1] * count + 0.5).long()
    own = torch.diff(ends, prepend=ends.new_zeros(1))
    numbers = torch.arange(len(own), device=mesh.device)
    face = torch.repeat_interleave(numbers, own, output_size=count)
    u, v = (torch.arange(1, count + 1, device=mesh.device).to(double.dtype) * step % 1.0 for step in STEPS)
    folded = u + v > 1  # the other half of the square, turned onto the triangle
    u, v = torch.where(folded, 1 - u, u), torch.where(folded, 1 - v, v)
    weights = torch.stack([1 - u - v, u, v], dim=1).float()
    return SurfacePoints(mesh.mixed(mesh.vertices, face, weights), surface_colors(mesh, face, weights))
