"""Texture coordinates on a device: the twin of `mesh.uv`. Charts are cut, projected and turned on the device;
their outlines, some hundred kilobytes, are packed by the host, which sends places back.
"""

from __future__ import annotations

import torch

from geco.mesh.uv_pack import Outlines, pack
from geco.on_device import waits
from geco.on_device.charts import Surface, segment
from geco.on_device.flatten import FlatCharts, flat_areas, flatten
from geco.on_device.types import DeviceMesh

# Own choice, half of `mesh.uv_pack`'s: the device waits for the host, which packs in 40 % of the time and
# leaves texels 3 % wider (the figure of `benchmarks.surface`).
_CELLS = 96


def unwrap(mesh: DeviceMesh, texture_size: int, padding: int = 2) -> DeviceMesh:
    """The mesh with texture coordinates; vertices on seams appear once a chart, faces keep their order and
    their corners (see `mesh.uv.unwrap`).
    """
    surface = Surface.of(mesh)
    flat, points, sizes = flatten(mesh, surface, segment(surface))
    uvs = _packed(flat, points, sizes, texture_size, padding)
    return DeviceMesh(mesh.vertices[flat.sources], flat.corners, uvs=uvs)


def _packed(
    flat: FlatCharts, points: torch.Tensor, sizes: torch.Tensor, size: int, padding: int
) -> torch.Tensor:
    """(N, 2) float32 coordinates in the texture, from the top left."""
    edges = points[flat.borders].flatten(1)  # (B, 4)
    owner, area = flat.of_point[flat.borders[:, 0]], flat_areas(points, flat).abs().sum()
    count = len(sizes)
    numbers = torch.cat([edges.reshape(-1), sizes.reshape(-1), owner.to(edges), area[None]])
    host = waits.array(numbers, "outlines of the charts")
    b = len(edges)
    outlines = Outlines(
        host[: 4 * b].reshape(b, 4)[:, :2],
        host[: 4 * b].reshape(b, 4)[:, 2:],
        host[4 * b + 2 * count : -1].astype("intp"),
        host[4 * b : 4 * b + 2 * count].reshape(count, 2),
        float(host[-1]),
    )
    packing = pack(outlines, size, padding, _CELLS)
    offsets = waits.sent(packing.offsets, points.device).to(points.dtype)
    turned = waits.sent(packing.turned, points.device)
    texels = points * packing.scale
    texels = torch.where(turned[flat.of_point, None], (sizes * packing.scale)[flat.of_point] - texels, texels)
    uvs = (texels + offsets[flat.of_point]) / size
    return torch.stack([uvs[:, 0], 1 - uvs[:, 1]], dim=1).float().clamp(0, 1)
