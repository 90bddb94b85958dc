"""The networks cut into the pieces that are exported, written so that ONNX Runtime runs them fast.

ONNX Runtime's GridSample is slow on CPUs (28 ms for 16,384 points in six views on two cores; the form below 5
ms), so bilinear sampling is written as one gather of rows that already hold a pixel's four corners, and the
weighted sum of the corners is folded into the matrix product that follows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView
from geco.onnx_runtime.export_volume import look_around
from geco.reconstruct.small.field import PointField
from geco.reconstruct.small.model import SmallReconstructor
from geco.reconstruct.small.volume import lifting_coordinates


class ConditionPass(nn.Module):
    """The write pass: picture (B, 3, S, S) in [-1, 1], zeros for "no picture" -> patches, tokens
    of each attention, fine map.
    """

    def __init__(self, network: SmallMultiView) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        tensors = self.network.encode_condition(Condition(picture)).tensors
        return tensors["patches"], *(tensors[name] for name in stored_names(self.network))


class DenoisePass(nn.Module):
    """One read pass: x_t (B, 6, 3, S, S), t (B,) float32, patches and what is stored, of batch B
    -> x0 (B, 6, 3, S, S).
    """

    def __init__(self, network: SmallMultiView) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_t: Tensor, t: Tensor, patches: Tensor, *stored: Tensor) -> Tensor:
        stages = self.network.config.stages
        return self.network.denoise(x_t, t, patches, list(stored[:stages]), *stored[stages:])[0]


def stored_names(network: SmallMultiView) -> list[str]:
    """What the condition's write pass leaves beside its patches, in the order of the graphs."""
    return [f"tokens.{index}" for index in range(network.config.stages)] + (
        ["fine"] if network.bridge is not None else []
    )


class ReconstructPass(nn.Module):
    """views (6, S, S, 3) and picture (S, S, 3) in [0, 1] -> tables for points.

    Returns:
        table: (6 S S, 4 M) every pixel's features beside those of its right, lower and lower right
            neighbours.
        volume: (R^3, 2 C) every voxel's features beside those of the next in x; order z, y, x.
        coarse: (R, R, R) signed distance at the voxels' centres, world units.
    """

    index: Tensor
    depth: Tensor
    position: Tensor

    def __init__(self, model: SmallReconstructor) -> None:
        super().__init__()
        self.encoder, self.net = model.encoder, model.volume_net
        size = model.config.view_size
        # (7, N, 2), pixel centres of full-size maps
        where = torch.from_numpy(lifting_coordinates(model.config)[0])
        x, y = ((where + 1) * (0.5 * size) - 0.5).round().long().unbind(-1)
        rows = torch.arange(model.config.views + 1)[:, None] * size * size + y * size + x
        self.register_buffer("index", rows.T.reshape(-1).to(torch.int32))  # view fastest
        # Buffers of this module, so that they are named constants of the graph: see UNFOLDED in export.py.
        self.register_buffer("depth", self.net.depth[:, 0].T.contiguous())  # (N, 7)
        self.register_buffer("position", self.net.position.T.contiguous())  # (N, 18)

    def forward(self, views: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pictures = torch.cat([views, picture[None]]).permute(0, 3, 1, 2)
        lift, maps = self.encoder(pictures[None])
        doubled = functional.interpolate(lift[0], scale_factor=2.0, mode="bilinear", align_corners=False)
        seen = doubled.permute(0, 2, 3, 1).flatten(0, 2)[self.index].reshape(self.net.size**3, -1)  # (N, 7 L)
        side = self.net.size
        slices = self.mix(seen).reshape(side, side * side, -1).transpose(1, 2).reshape(side, -1, side, side)
        volume = look_around(self.net, slices).permute(0, 2, 3, 1)  # (R, R, R, C), z, y, x
        beside = torch.cat([volume[:, :, 1:], volume[:, :, -1:]], dim=2)
        pairs = torch.cat([volume, beside], dim=-1).flatten(0, 2)
        return corners(maps[0].permute(0, 2, 3, 1)), pairs, volume[..., 0] * 0.1

    def mix(self, seen: Tensor) -> Tensor:
        """VolumeNet.mix_views with voxels first: (N, 7 L) -> (N, w)."""
        net = self.net
        channels = net.view_bias.shape[1]
        # per voxel and view: depth times its weights, plus the bias
        depth = self.depth[:, :, None] * net.view_depth[:, :, 0] + net.view_bias[:, :, 0]
        views = torch.relu(seen + depth.reshape(-1, 7 * channels))
        weight = net.mix.weight[:, :, 0]
        place = functional.linear(self.position, weight[:, 7 * channels :], net.mix.bias)
        mixed = functional.linear(views, weight[:, : 7 * channels]) + place
        return functional.linear(torch.relu(mixed), net.enter.weight[:, :, 0], net.enter.bias)


class PointPass(nn.Module):
    """One head at points (N, 3), given the tables of :class:`ReconstructPass`: signed distance
    (N,), or colour (N, 3) in [0, 1].
    """

    def __init__(self, model: SmallReconstructor, head: str) -> None:
        super().__init__()
        self.field: PointField = model.field
        self.config = model.config
        self.head = head

    def forward(self, table: Tensor, volume: Tensor, points: Tensor) -> Tensor:
        field, config = self.field, self.config
        inside = self.read_volume(volume, points)
        index, weight, depth = self.read_places(points)
        channels = config.map_channels
        weighted = table[index] * (weight @ spread(4, channels))  # (6 N, 4 M)
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
        """Rows (6 N,), weights (6 N, 4) of the four corners, and depth - radius (N, 6), view fastest."""
        field, size = self.field, self.config.view_size
        axes = field.rotation.transpose(0, 1)  # (3, 6, 3): camera x, y, z of each view
        right, up, back = (points @ axes[i].T + field.translation[:, i] for i in range(3))  # (N, 6) each
        scale = (0.5 * size * field.focal) / -back
        across = (right * scale + (0.5 * size - 0.5)).clamp(0, size - 1)
        down = ((0.5 * size - 0.5) - up * scale).clamp(0, size - 1)
        x, y = across.floor().clamp(max=size - 2), down.floor().clamp(max=size - 2)
        fx, fy = across - x, down - y
        index = (y * size + x + torch.arange(6) * float(size * size)).to(torch.int32)
        weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], dim=-1)
        return index.reshape(-1), weight.reshape(-1, 4), -back - field.radius


def corners(maps: Tensor) -> Tensor:
    """(V, S, S, C) -> (V S S, 4 C): each pixel beside its right, lower and lower right neighbours
    (edges repeated).
    """
    right = torch.cat([maps[:, :, 1:], maps[:, :, -1:]], dim=2)
    both = torch.cat([maps, right], dim=-1)
    below = torch.cat([both[:, 1:], both[:, -1:]], dim=1)
    return torch.cat([both, below], dim=-1).flatten(0, 2)


def spread(corner_count: int, channels: int) -> Tensor:
    """(K, K C) matrix that repeats a corner's weight for all its channels."""
    return torch.eye(corner_count).repeat_interleave(channels, dim=1)


def gather_sum(corner_count: int, channels: int) -> Tensor:
    """(K C, C) matrix that adds the corners up."""
    return torch.eye(channels).repeat(corner_count, 1)
