"""The networks cut into the pieces that are exported, written so that ONNX Runtime runs them fast.

ONNX Runtime's GridSample is slow on CPUs (28 ms for 16,384 points in six views on two cores; the form below 5
ms), so bilinear sampling is written as one gather of rows that already hold a pixel's four corners, and the
weighted sum of the corners is folded into the matrix product that follows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.cameras import invert, rig
from geco.isosurface.grids import voxel_axis
from geco.onnx_runtime.export_volume import look_around
from geco.reconstruct.small.model import SmallReconstructor
from geco.reconstruct.small.volume import lifting_coordinates, lifting_poses


class ReconstructPass(nn.Module):
    """views (6, S, S, 3) and picture (S, S, 3) in [0, 1] -> tables for points.

    Returns:
        table: (6 S S, 2 M) every pixel's features beside those of its right neighbour.
        volume: (R^3, 2 C) every voxel's features beside those of the next in x; order z, y, x.
        coarse: (R, R, R) signed distance at the voxels' centres, world units.
    """

    index: Tensor
    axis: Tensor
    towards: Tensor
    waves: Tensor

    def __init__(self, model: SmallReconstructor) -> None:
        super().__init__()
        self.model, net = model, model.volume_net
        size = model.config.view_size
        # (7, N, 2), pixel centres of full-size maps
        where = torch.from_numpy(lifting_coordinates(model.config)[0])
        x, y = ((where + 1) * (0.5 * size) - 0.5).round().long().unbind(-1)
        rows = torch.arange(model.config.views + 1)[:, None] * size * size + y * size + x
        self.register_buffer("index", rows.T.reshape(-1).to(torch.int32))  # view fastest
        # Buffers of this module, so that the graph names them and nothing that comes of them is folded.
        # Out of these three the graph makes VolumeNet.depth and VolumeNet.position when it is loaded.
        centres = voxel_axis(net.size, model.config.half_extent)
        self.register_buffer("axis", torch.from_numpy(centres).float())  # (R,)
        along = torch.from_numpy(invert(lifting_poses(model.config))[:, 2])
        self.register_buffer("towards", -along)  # (7, 4) viewing axes and places on them
        self.radius = rig(model.config.rig).radius
        # What VolumeNet.position says of a voxel's x, which is what it says of y and z: (R, 6)
        waves = net.position.reshape(6, 3, *(net.size,) * 3)[:, 0, 0, 0]
        self.register_buffer("waves", waves.T.contiguous())

    def forward(self, views: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pictures = torch.cat([views, picture[None]]).permute(0, 3, 1, 2)
        net = self.model.volume_net
        lift, maps = self.model.encoder(pictures[None])
        doubled = functional.interpolate(lift[0], scale_factor=2.0, mode="bilinear", align_corners=False)
        seen = doubled.permute(0, 2, 3, 1).flatten(0, 2)[self.index].reshape(net.size**3, -1)  # (N, 7 L)
        side = net.size
        slices = self.mix(seen).reshape(side, side * side, -1).transpose(1, 2).reshape(side, -1, side, side)
        volume = look_around(net, slices).permute(0, 2, 3, 1)  # (R, R, R, C), z, y, x
        return pairs(maps[0].permute(0, 2, 3, 1)), pairs(volume), volume[..., 0] * 0.1

    def depth(self) -> Tensor:
        """(N, 7) of every voxel along each viewing axis, less the cameras' distance."""
        x, y, z = (
            self.axis[None, None, :, None],
            self.axis[None, :, None, None],
            self.axis[:, None, None, None],
        )
        along = x * self.towards[:, 0] + y * self.towards[:, 1] + z * self.towards[:, 2]
        return (along + self.towards[:, 3]).flatten(0, 2) - self.radius

    def mix(self, seen: Tensor) -> Tensor:
        """VolumeNet.mix_views with voxels first: (N, 7 L) -> (N, w)."""
        net = self.model.volume_net
        channels = net.view_bias.shape[1]
        # per voxel and view: depth times its weights, plus the bias
        depth = self.depth()[:, :, None] * net.view_depth[:, :, 0] + net.view_bias[:, :, 0]
        views = torch.relu(seen + depth.reshape(-1, 7 * channels))
        weight = net.mix.weight[:, :, 0]
        place = functional.linear(along_axes(self.waves), weight[:, 7 * channels :], net.mix.bias)
        mixed = functional.linear(views, weight[:, : 7 * channels]) + place
        return functional.linear(torch.relu(mixed), net.enter.weight[:, :, 0], net.enter.bias)


class PointPass(nn.Module):
    """One head at points (N, 3), given the tables of :class:`ReconstructPass`: signed distance
    (N,), or colour (N, 3) in [0, 1].
    """

    def __init__(self, model: SmallReconstructor, head: str) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.head = head

    def forward(self, table: Tensor, volume: Tensor, points: Tensor) -> Tensor:
        field, config = self.model.field, self.config
        inside = self.read_volume(volume, points)
        index, weight, depth = self.read_places(points)
        channels = config.map_channels
        seen = table[index].reshape(-1, 4 * channels)
        weighted = seen * (weight @ spread(4, channels))  # (6 N, 4 M)
        # sums the corners and applies the layer in one product
        kernel = field.view.weight[:, :channels].T.repeat(4, 1)
        from_depth = depth[..., None] * field.view.weight[:, channels]
        bias = field.view_bias[:, 0] + field.view.bias
        hidden = (weighted @ kernel).reshape(-1, 6, config.view_hidden)
        views = torch.relu(hidden + from_depth + bias)  # (N, 6, H)
        joint = torch.cat([views.flatten(1), inside], dim=1)
        if self.head == "shape":
            return field.shape(joint, inside)
        rgb = (weighted @ gather_sum(4, channels)[:, :3]).reshape(-1, 6, 3)
        # field.tint with the views second, so that nothing is transposed
        own = torch.relu(field.color_in(joint))
        # (N, 6, 1)
        logits = field.color_weight(torch.relu(field.color_view(views) + field.color_joint(own)[:, None]))
        return (
            (torch.softmax(logits, dim=1) * rgb).sum(dim=1) + field.own_color * field.color_rest(own)
        ).clamp(0, 1)

    def read_volume(self, volume: Tensor, points: Tensor) -> Tensor:
        """Trilinear (N, C)."""
        size, channels = self.config.volume_size, self.config.volume_channels
        place = ((points * (1 / self.config.half_extent) + 1) * (0.5 * size) - 0.5).clamp(0, size - 1)
        corner = place.floor().clamp(max=size - 2)
        part = place - corner  # (N, 3) x, y, z
        first = (corner @ torch.tensor([[1.0], [size], [size * size]])).to(torch.int32)  # exact: below 2^24
        index = first + torch.tensor([[0, size, size * size, size * size + size]], dtype=torch.int32)
        x, y, z = part[:, :1], part[:, 1:2], part[:, 2:]
        in_x = torch.cat([1 - x, x], dim=1)
        in_xy = torch.cat([in_x * (1 - y), in_x * y], dim=1)
        weight = torch.cat([in_xy * (1 - z), in_xy * z], dim=1)  # (N, 8), x fastest
        rows = volume[index.reshape(-1)].reshape(-1, 8 * channels)
        return (rows * (weight @ spread(8, channels))) @ gather_sum(8, channels)

    def read_places(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (12 N,), upper and lower; weights (6 N, 4) of the four corners; depth - radius (N, 6); then
        views fastest.
        """
        field, size = self.model.field, self.config.view_size
        axes = field.rotation.transpose(0, 1)  # (3, 6, 3): camera x, y, z of each view
        right, up, back = (points @ axes[i].T + field.translation[:, i] for i in range(3))  # (N, 6) each
        scale = (0.5 * size * field.focal) / -back
        across = (right * scale + (0.5 * size - 0.5)).clamp(0, size - 1)
        down = ((0.5 * size - 0.5) - up * scale).clamp(0, size - 1)
        x, y = across.floor().clamp(max=size - 2), down.floor().clamp(max=size - 2)
        fx, fy = across - x, down - y
        first = (y * size + x + torch.arange(6) * float(size * size)).to(torch.int32)
        index = first[..., None] + torch.tensor([0, size], dtype=torch.int32)
        weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], dim=-1)
        return index.reshape(-1), weight.reshape(-1, 4), -back - field.radius


def along_axes(waves: Tensor) -> Tensor:
    """What is said of a coordinate (R, W) -> what is said of a voxel (R^3, 3 W), x, y and z side by side;
    order z, y, x.
    """
    side, count = waves.shape
    x, y, z = waves[None, None], waves[None, :, None], waves[:, None, None]
    shape = (side, side, side, count)
    return torch.stack([x.expand(shape), y.expand(shape), z.expand(shape)], dim=-1).flatten(3).flatten(0, 2)


def pairs(grid: Tensor) -> Tensor:
    """(Z, Y, X, C) -> (Z Y X, 2 C): every cell beside the next in x (the last one beside itself)."""
    beside = torch.cat([grid[:, :, 1:], grid[:, :, -1:]], dim=2)
    return torch.cat([grid, beside], dim=-1).flatten(0, 2)


def spread(corner_count: int, channels: int) -> Tensor:
    """(K, K C) matrix that repeats a corner's weight for all its channels."""
    return torch.eye(corner_count).repeat_interleave(channels, dim=1)


def gather_sum(corner_count: int, channels: int) -> Tensor:
    """(K C, C) matrix that adds the corners up."""
    return torch.eye(channels).repeat(corner_count, 1)
