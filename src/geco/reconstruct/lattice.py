"""A triplane field on the points of a lattice, which is far cheaper than at as many points anywhere.

The first layer of a decoder is linear in the three planes' features, so each plane is multiplied by its part
of the weights once, texel by texel; and on a lattice a plane has only as many places as a face of it. What is
left for a point is a sum of three rows and the rest of the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.triplane import Axes

# Own choice: rows of a decoder at a time, so that a layer's input and output (2 MB each at 64 wide) stay in
# the cache of a core.
ROWS = 1 << 13


class TriplaneLattice:
    """The first output of a decoder on ``side`` points a side of the planes' cube, its faces included.

    Args:
        planes: (3, C, H, W).
        axes: which coordinates each plane reads, as (width, height).
        layers: Linear, activation, ..., Linear; the first reads the three features of a point one after the
            other, or their mean where it is only as wide as one.
        side: points along an axis.
    """

    def __init__(self, planes: Tensor, axes: Axes, layers: Sequence[nn.Module], side: int) -> None:
        first, *self._inner, last = layers
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        self.side = side
        self._last = (last.weight[:1].float(), None if last.bias is None else last.bias[:1].float())
        self._tables = self._projected(planes.float(), axes, first, side)

    @staticmethod
    def _projected(planes: Tensor, axes: Axes, first: nn.Linear, side: int) -> list[tuple[int, int, Tensor]]:
        """(low axis, high axis, (side * side, K)) of each plane; the bias is in the first."""
        channels = planes.shape[1]
        mean = first.in_features == channels
        axis = torch.linspace(-1, 1, side, device=planes.device)
        found = []
        for number, (across, down) in enumerate(axes):
            part = first.weight.float()
            part = part / 3 if mean else part[:, number * channels : (number + 1) * channels]
            projected = torch.einsum("kc,chw->khw", part, planes[number])[None]
            low, high = sorted((across, down))
            rows, columns = torch.meshgrid(axis, axis, indexing="ij")  # of the low and the high axis
            grid = torch.stack([rows, columns] if across == low else [columns, rows], dim=-1)[None]
            table = F.grid_sample(projected, grid, "bilinear", "zeros", align_corners=False)[0]
            table = table.permute(1, 2, 0).reshape(side * side, -1)
            if number == 0 and first.bias is not None:
                table = table + first.bias.float()
            found.append((low, high, table.contiguous()))
        return found

    def at(self, numbers: Tensor) -> Tensor:
        """(N,) numbers (ix * side + iy) * side + iz of points -> (N,) float32."""
        if not len(numbers):
            return torch.zeros(0, device=numbers.device)
        return torch.cat([self._decoded(part) for part in numbers.split(ROWS)])

    def _decoded(self, numbers: Tensor) -> Tensor:
        rows = torch.div(numbers, self.side, rounding_mode="floor")
        x = torch.div(rows, self.side, rounding_mode="floor")
        places = (x, rows - x * self.side, numbers - rows * self.side)
        features = None
        for low, high, table in self._tables:
            row = table.index_select(0, places[low] * self.side + places[high])
            features = row if features is None else features.add_(row)
        assert features is not None
        for layer in self._inner:
            features = _applied(layer, features)
        weight, bias = self._last
        return F.linear(features, weight, bias)[:, 0]


def _applied(layer: nn.Module, features: Tensor) -> Tensor:
    """A layer; activations in place, since nobody else holds their input."""
    if isinstance(layer, nn.SiLU):
        return F.silu(features, inplace=True)
    if isinstance(layer, nn.ReLU):
        return F.relu(features, inplace=True)
    assert isinstance(layer, nn.Linear)
    weight = layer.weight.float()
    return F.linear(features, weight, None if layer.bias is None else layer.bias.float())
