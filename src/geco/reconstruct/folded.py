"""An MLP on features of three planes, with its first layer put into the planes: fields at inference.

The first layer is linear in the concatenated features, and a feature is a weighted sum of texels. So each
texel is multiplied once instead of each point, the three planes add up to what the first activation takes,
and on a grid a plane is read once for each pair of coordinates. The same numbers, to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Points at a time: on a CPU what a layer holds (64 numbers a point) fits the second cache; on a GPU launches
# count, and a layer holds 64 MB.
CPU_POINTS, GPU_POINTS = 1 << 12, 1 << 18


class FoldedDecoder:
    """``net`` on the features of ``planes``, at points and on grids; in float32 whatever the weights are, and
    without gradients.

    Args:
        planes: (3, C, H, W) over [-1, 1], zero beyond.
        net: its first layer is linear in the 3 * C features, plane after plane, or in the mean of the three.
        axes: which coordinates each plane reads, as (width, height) of its picture.
    """

    @torch.no_grad()
    def __init__(self, planes: Tensor, net: nn.Sequential, axes: Sequence[tuple[int, int]]) -> None:
        first = net[0]
        assert isinstance(first, nn.Linear)
        exact = torch.promote_types(first.weight.dtype, torch.float32)
        weight = first.weight.to(exact)
        if first.in_features == planes.shape[1]:
            weight = weight.repeat(1, 3) / 3
        weight = weight.unflatten(1, (3, -1))
        # (3, H, W, K): the numbers of a texel side by side
        self.texels = torch.einsum("pchw,kpc->phwk", planes.to(exact), weight).contiguous()
        self.bias = weight.new_zeros(len(weight)) if first.bias is None else first.bias.to(exact)
        self.axes = axes
        self.rest = net[1:] if first.weight.dtype == exact else deepcopy(net[1:]).to(exact)
        self.on_cpu = planes.device.type == "cpu"
        self.chunk = CPU_POINTS if self.on_cpu else GPU_POINTS

    @torch.no_grad()
    def at(self, points: Tensor) -> Tensor:
        """(P, 3) points -> (P, outputs)."""
        read = self._weigh if self.on_cpu else self._sample
        parts = [self.rest(read(part) + self.bias) for part in points.to(self.texels.dtype).split(self.chunk)]
        return torch.cat(parts)

    @torch.no_grad()
    def on_grid(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Coordinates (X,), (Y,) and (Z,) -> (X, Y, Z, outputs) at all of their combinations."""
        maps = [self.map_of(plane, (x, y, z)) for plane in range(3)]
        maps[0] = maps[0] + self.bias
        wide = max(1, self.chunk // (len(y) * len(z)))
        long = max(1, self.chunk // (wide * len(z)))
        blocks = [
            [self.rest(_sum(maps, slice(i, i + wide), slice(j, j + long))) for j in range(0, len(y), long)]
            for i in range(0, len(x), wide)
        ]
        return torch.cat([torch.cat(block, dim=1) for block in blocks])

    @torch.no_grad()
    def map_of(self, plane: int, coordinates: Sequence[Tensor]) -> Tensor:
        """What a plane adds on a grid: (X, Y, Z, K) with 1 along the axis that it does not see."""
        across, down = self.axes[plane]
        columns, rows = (coordinates[axis].to(self.texels.dtype) for axis in (across, down))
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="ij"), dim=-1)
        pictures = self.texels[plane].permute(2, 0, 1)[None]
        read = F.grid_sample(pictures, grid[None], align_corners=False)[0].permute(1, 2, 0)
        if across > down:
            read = read.transpose(0, 1)
        return read.unsqueeze(3 - across - down).contiguous()

    def _sample(self, points: Tensor) -> Tensor:
        """(P, 3) -> (P, K), few launches."""
        # Columns, not points[:, [i, j]]: a list is sent to the device first, which the host waits for.
        columns = points.unbind(dim=1)
        grid = torch.stack([torch.stack([columns[i], columns[j]], dim=1) for i, j in self.axes])[:, None]
        pictures = self.texels.permute(0, 3, 1, 2)
        return F.grid_sample(pictures, grid, align_corners=False)[:, :, 0].sum(0).T

    def _weigh(self, points: Tensor) -> Tensor:
        """(P, 3) -> (P, K) as one weighted sum of twelve rows a point: the four texels about it on each
        plane, with weight 0 beyond the edge.
        """
        height, width, channels = self.texels.shape[1:]
        size = points.new_tensor([width, height])
        at = (torch.stack([points[:, list(pair)] for pair in self.axes], dim=1) + 1) * (size / 2) - 0.5
        low = at.floor()
        part = at - low
        rows, weights = [], []
        first = torch.arange(3, device=points.device) * (height * width)
        for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
            offset = points.new_tensor(corner)
            texel = low + offset
            inside = ((texel >= 0) & (texel < size)).all(-1)
            texel = texel.clamp_min(0).minimum(size - 1).long()
            rows.append(first + texel[..., 1] * width + texel[..., 0])
            weights.append(torch.where(offset > 0, part, 1 - part).prod(-1) * inside)
        return F.embedding_bag(
            torch.cat(rows, dim=1),
            self.texels.view(-1, channels),
            per_sample_weights=torch.cat(weights, dim=1),
            mode="sum",
        )


def _sum(maps: Sequence[Tensor], x: slice, y: slice) -> Tensor:
    """The three maps' parts added up; a map that is 1 wide along an axis is the same all along it."""
    everything = slice(None)
    first, second, third = (
        m[x if m.shape[0] > 1 else everything, y if m.shape[1] > 1 else everything] for m in maps
    )
    return first + second + third
