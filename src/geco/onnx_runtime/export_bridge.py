"""The volume that the small generator's views share (:mod:`geco.multiview.small.bridge`) as ONNX Runtime runs
it fast: densities are made of voxels instead of samples on rays, of which there are thirteen times as many,
and a ray's samples are added up by a product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from geco.multiview.small.bridge import LIFTED, VolumeBridge
from geco.onnx_runtime.export_layers import films, residual
from geco.onnx_runtime.export_modules import along_axes
from geco.onnx_runtime.export_volume import parts

MAPS = 7  # of the picture, which is the first, and of six views


def through_volume(net: VolumeBridge, x: Tensor, embedding: Tensor) -> Tensor:
    """Maps (7 B, C, h, h), to those of views what the volume says is added; embedding (1, E)."""
    blocks = [net.fine, net.middle, net.coarse, net.middle_out]
    film = films(blocks, embedding, 3)
    x0 = residual(net.fine, lifted(net, x), film[net.fine])
    x1 = residual(net.middle, net.down1(x0), film[net.middle])
    x2 = residual(net.coarse, net.down2(x1), film[net.coarse])
    x1 = residual(net.middle_out, x1 + net.up2(x2), film[net.middle_out])
    volume = net.leave(functional.silu(x0 + net.up1(x1)))
    picture, views = x.unflatten(0, (-1, MAPS)).split([1, MAPS - 1], dim=1)
    return torch.cat([picture, views + drawn(net, volume)], dim=1).flatten(0, 1)


def lifted(net: VolumeBridge, x: Tensor) -> Tensor:
    """Maps (7 B, C, h, h) -> (B, w, R, R, R)."""
    # Both ways of looking at all maps, which costs little, and the right one of each gathered.
    weights, biases = zip(parts(net.lift_picture), parts(net.lift_view))
    seen = functional.conv2d(x, torch.cat(weights), torch.cat(biases))
    rows = (
        seen.reshape(-1, 2 * MAPS, LIFTED, net.cells**2)
        .transpose(2, 3)
        .reshape(-1, 2 * MAPS * net.cells**2, LIFTED)
    )
    voxels = rows[:, look_up(net)].reshape(-1, net.size**3, MAPS * LIFTED)
    weight, known = net.mix.weight, MAPS * LIFTED
    place = functional.linear(along_axes(net.waves), weight[:, known:], net.mix.bias)  # (N, 2 w)
    mixed = functional.silu(torch.matmul(voxels, weight[:, :known].T) + place)
    entered = torch.matmul(mixed, net.enter.weight.T) + net.enter.bias
    return entered.transpose(1, 2).reshape(-1, net.width, net.size, net.size, net.size)


def look_up(net: VolumeBridge) -> Tensor:
    """(7 N,) rows of :func:`lifted`, maps fastest and in the order of the weights: six views, the picture."""
    index = net.lift_index.reshape(MAPS, -1)
    cells = net.cells**2
    places = index - torch.arange(MAPS)[:, None] * cells
    first = torch.tensor([2 * view + 3 for view in range(MAPS - 1)] + [0])[:, None] * cells
    return (places + first).T.reshape(-1).to(torch.int32)


def drawn(net: VolumeBridge, volume: Tensor) -> Tensor:
    """(B, w + 1, R, R, R), the last channel a raw density -> (B, 6, C, h, h)."""
    rows = volume.flatten(2).transpose(1, 2)  # (B, N, w + 1)
    rays = (-1, 6 * net.cells**2, net.depths)
    density = functional.softplus(rows[:, :, net.width] - 2.0)  # as the bridge has it
    index = net.draw_index.to(torch.int32)
    density = density[:, index].reshape(rays)
    past = torch.cumsum(density, dim=2) - density
    weight = torch.exp(-past) * (1 - torch.exp(-density))  # (B, 6 h h, D)
    seen = rows[:, :, : net.width][:, index].reshape(*rays, net.width)
    features = torch.matmul(weight[:, :, None], seen)[:, :, 0]
    # opacity and depth
    steps = torch.stack([torch.ones(net.depths), torch.linspace(-1, 1, net.depths)], dim=1)
    joint = torch.cat([features, torch.matmul(weight, steps)], dim=2)
    weight, bias = parts(net.out)
    maps = torch.matmul(joint, weight[:, :, 0, 0].T) + bias
    return (
        maps.reshape(-1, 6, net.cells**2, maps.shape[2]).transpose(2, 3).unflatten(3, (net.cells, net.cells))
    )
