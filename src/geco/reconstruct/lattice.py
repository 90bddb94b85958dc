"""A folded decoder on the points of a lattice, any of them: what :mod:`geco.reconstruct.density` asks.

On a lattice a plane has only as many places as a face of it, so that a point is a sum of three rows and the
rest of the decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.reconstruct.folded import FoldedDecoder


class Lattice:
    """The first output of a decoder on ``side`` points a side of the planes' cube, its faces included."""

    @torch.no_grad()
    def __init__(self, decoder: FoldedDecoder, side: int) -> None:
        self.decoder, self.side = decoder, side
        axis = torch.linspace(-1, 1, side, device=decoder.texels.device)
        # (side * side, K) of each plane, by the lower of its axes, then the higher
        self._rows = [decoder.map_of(plane, (axis,) * 3).reshape(side * side, -1) for plane in range(3)]
        self._rows[0] = self._rows[0] + decoder.bias

    @torch.no_grad()
    def at(self, numbers: Tensor) -> Tensor:
        """(N,) numbers (ix * side + iy) * side + iz of points -> (N,) float32."""
        if not len(numbers):
            return torch.zeros(0, device=numbers.device)
        return torch.cat([self._decoded(part) for part in numbers.split(self.decoder.chunk)])

    def _decoded(self, numbers: Tensor) -> Tensor:
        rows = torch.div(numbers, self.side, rounding_mode="floor")
        x = torch.div(rows, self.side, rounding_mode="floor")
        places = (x, rows - x * self.side, numbers - rows * self.side)
        parts = []
        for table, axes in zip(self._rows, self.decoder.axes):
            low, high = sorted(axes)
            parts.append(table.index_select(0, places[low] * self.side + places[high]))
        return self.decoder.rest(parts[0].add_(parts[1]).add_(parts[2]))[:, 0]
