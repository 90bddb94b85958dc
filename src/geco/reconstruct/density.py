"""The surface of a density, asked coarse to fine: a lattice of every few points first, then all points of
those blocks that the surface can pass.

A field here is **signed**: level minus what the decoder says *before* its activation, negative inside. For a
density that is an exponential this is the logarithm of level / density, which runs nearly straight through
the surface where the density itself jumps by orders of magnitude, so that the crossing on a grid's edge is
where it belongs. Any rising activation leaves the surface where it is.

What can be lost: only what no look at the coarse lattice tells of. A block is asked in full

- where its corners differ in sign;
- where the surface is near by value: a corner is nearer to 0 than :data:`NEAR` times the range of the field
  over the block and the blocks around it;
- where the surface of a neighbour that was asked in full leaves through the face between them, and so on, so
  that what was found anywhere is found whole, and closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from geco.errors import MeshError
from geco.isosurface.tables import CORNERS
from geco.isosurface.tensor_grid import TensorGrid

# Part of the local range within which a block's corners count as near the surface. Of a distance field the
# range over three blocks is at least 1.7 of a block's side about a ball of one block, whose surface is .37
# from its corners: .21 would do there. Own choice, by what is lost of white noise, texel by texel: at .33 4 %
# of its cubes, in parts of up to 1.2 blocks; at .5 0.4 %, of at most .3 (an object: 8 and 10 % asked).
NEAR = 0.5
# Cells along a block, from this many cells a side on: a triplane of 64 texels has one look a texel.
STEPS = ((256, 4), (128, 2), (0, 1))
# Given to points of the outermost layer that are inside, so that the surface closes within the lattice.
CLOSING = 1e-3

_SIDES = tuple((axis, side) for axis in range(3) for side in (0, 1))


class LatticeField(Protocol):
    """A field that is asked on the points of a lattice."""

    def at(self, numbers: Tensor) -> Tensor:
        """(N,) numbers (ix * side + iy) * side + iz of points -> (N,) float32."""


def level_grid(
    field: LatticeField,
    level: float,
    resolution: int,
    half_extent: float,
    device: torch.device,
    step: int | None = None,
) -> TensorGrid:
    """The cubes that the level set crosses, without weights, closed within the grid.

    Args:
        field: larger inside, before its activation (see above), on ``resolution`` + 1 points a side.
        level: of the field.
        resolution: cubes a side.
        half_extent: the grid spans [-half_extent, half_extent]^3, world units.
        device: where the field lives.
        step: cells along a block; None: of :data:`STEPS`; 1 asks everywhere.

    Raises:
        MeshError: nothing is inside.
    """
    step = step or next(cells for least, cells in STEPS if resolution >= least)
    volume = _Volume(lambda numbers: level - field.at(numbers), resolution, step, device)
    volume.look()
    volume.refine()
    return volume.grid(half_extent)


class _Volume:
    """The signed field on the lattice, as far as it was asked; the last block of an axis may be cut short."""

    def __init__(
        self, signed: Callable[[Tensor], Tensor], resolution: int, step: int, device: torch.device
    ) -> None:
        self.signed, self.resolution, self.step = signed, resolution, step
        self.side, self.blocks = resolution + 1, -(-resolution // step)
        self.values = torch.zeros(self.side**3, device=device)
        self.known = torch.zeros(self.side**3, dtype=torch.bool, device=device)
        # the lattice's place of each block's corners along an axis
        self.places = (torch.arange(self.blocks + 1, device=device) * step).clamp_max(resolution)
        self.whole = torch.zeros((self.blocks,) * 3, dtype=torch.bool, device=device)

    def look(self) -> None:
        """Ask the corners of all blocks."""
        self._ask(self._corner_numbers())

    def refine(self) -> None:
        """Ask all points of the blocks that the surface can pass."""
        new = self._near(self.values[self._corner_numbers()])
        while len(found := torch.nonzero(new & ~self.whole)):
            self.whole |= new
            numbers = self._points(found)
            self._ask(numbers)
            new = self._reached(found, self.values[numbers] < 0)

    def grid(self, half_extent: float) -> TensorGrid:
        """The cubes of the blocks asked in full that the surface crosses."""
        found = torch.nonzero(self.whole)
        inner = torch.arange(self.step, device=found.device)
        x, y, z = (found[:, axis, None] * self.step + inner for axis in range(3))
        # beyond the last cell, where the step does not divide the resolution
        inside = (x < self.resolution)[:, :, None, None] & (y < self.resolution)[:, None, :, None]
        inside = inside & (z < self.resolution)[:, None, None, :]
        first = self._numbers(x[:, :, None, None], y[:, None, :, None], z[:, None, None, :])[inside]
        # Worked out on the host: CUDA multiplies no matrices of whole numbers.
        steps = CORNERS @ np.array([self.side**2, self.side, 1])
        corners = torch.from_numpy(steps).to(first.device, non_blocking=True)
        negative = self.values < 0
        count = sum((negative[first + corner].int() for corner in corners), start=torch.zeros_like(first))
        first = first[(count > 0) & (count < 8)].sort().values
        if not len(first):
            raise MeshError(
                "the reconstruction has no surface: nothing is inside",
                "Try another picture, or check that it shows one object.",
            )
        dense = first[:, None] + corners
        used = torch.nonzero(torch.zeros_like(self.known).index_fill_(0, dense.reshape(-1), True))[:, 0]
        number = torch.empty(self.side**3, dtype=torch.int32, device=used.device)
        number[used] = torch.arange(len(used), dtype=torch.int32, device=used.device)
        rows = torch.div(used, self.side, rounding_mode="floor")
        planes = torch.div(rows, self.side, rounding_mode="floor")
        places = torch.stack([planes, rows - planes * self.side, used - rows * self.side], dim=1)
        vertices = (places / self.resolution - 0.5) * (2 * half_extent)
        return TensorGrid(vertices, self.values[used], number[dense].long())

    def _numbers(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return (x * self.side + y) * self.side + z

    def _corner_numbers(self) -> Tensor:
        """(B + 1, B + 1, B + 1) corners of all blocks."""
        return self._numbers(*torch.meshgrid(self.places, self.places, self.places, indexing="ij"))

    def _points(self, found: Tensor) -> Tensor:
        """(K, S + 1, S + 1, S + 1) all points of blocks (K, 3), their faces included."""
        inner = torch.arange(self.step + 1, device=found.device)
        x, y, z = ((found[:, a, None] * self.step + inner).clamp_max(self.resolution) for a in range(3))
        return self._numbers(x[:, :, None, None], y[:, None, :, None], z[:, None, None, :])

    def _ask(self, numbers: Tensor) -> None:
        """The field at those points that are not known yet, in the lattice's order."""
        wanted = torch.zeros_like(self.known)
        wanted[numbers.reshape(-1)] = True
        wanted &= ~self.known
        fresh = torch.nonzero(wanted)[:, 0]
        self.known |= wanted
        self.values[fresh] = self.signed(fresh)
        cube = self.values.view((self.side,) * 3)
        for axis, side in _SIDES:
            cube.select(axis, -side).clamp_min_(CLOSING)

    def _near(self, corners: Tensor) -> Tensor:
        """Blocks with corners of both signs, or near the surface by value."""
        low, high = -F.max_pool3d(-corners[None], 2, 1)[0], F.max_pool3d(corners[None], 2, 1)[0]
        around = F.max_pool3d(high[None], 3, 1, 1)[0] + F.max_pool3d(-low[None], 3, 1, 1)[0]
        nearest = torch.minimum(low.abs(), high.abs())
        return ((low < 0) & (high >= 0)) | (nearest <= NEAR * around)

    def _reached(self, found: Tensor, negative: Tensor) -> Tensor:
        """Blocks (marked) that the surface enters from those of ``found`` (K, 3), whose points are negative
        where ``negative`` (K, S + 1, S + 1, S + 1) says.
        """
        reached = torch.zeros_like(self.whole)
        for axis, side in _SIDES:
            face = negative.select(axis + 1, -side).flatten(1)
            crossed = face.any(dim=1) & ~face.all(dim=1)
            neighbour = found[crossed].clone()
            neighbour[:, axis] += 2 * side - 1
            there = ((neighbour >= 0) & (neighbour < self.blocks)).all(dim=1)
            reached[tuple(neighbour[there].T)] = True
        return reached
