"""Charts projected along their directions on a device, as `mesh.uv_flatten` does, and split where they fold
over themselves or are too long.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.mesh.uv import LONGEST
from geco.mesh.uv_boxes import ANGLES
from geco.mesh.uv_flatten import HOLLOW, LARGE, TOLERANCE, WELL_FILLED
from geco.mesh.uv_pack import FIRST_FILL
from geco.on_device import waits
from geco.on_device.charts import Charts, Surface, joined
from geco.on_device.groups import group_sums, sorted_runs
from geco.on_device.overlap import overlapping_triangles
from geco.on_device.types import DeviceMesh, exact


@dataclass
class FlatCharts:
    """Charts in the plane, each in its own frame.

    Attributes:
        points: (N, 2) positions. corners: (F, 3) point of each face corner.
        sources: (N,) mesh vertex of each point. of_point: (N,) chart of each point.
        charts: which chart each face is of, and its direction.
        frames: (C, 3, 3) right, up and direction of each. borders: (B, 2) points of the border edges.
    """

    points: Tensor
    corners: Tensor
    sources: Tensor
    of_point: Tensor
    charts: Charts
    frames: Tensor
    borders: Tensor


def flatten(mesh: DeviceMesh, surface: Surface, charts: Charts) -> tuple[FlatCharts, Tensor, Tensor]:
    """Charts in the plane, evened and upright, cut so that no two triangles of a chart overlap and none is
    too long; their points (N, 2) and boxes (C, 2) as of :func:`upright_boxes`.

    All cuts are found on the first projection and made at once.
    """
    flat = project(mesh, surface, charts)
    layer = _layers(mesh, flat)
    points, sizes = upright_boxes(evened(flat, surface), flat)
    piece = _pieces(flat, points, sizes)
    if layer is None and piece is None:
        return flat, points, sizes
    none = torch.zeros_like(charts.of_face)
    layer, piece = none if layer is None else layer, none if piece is None else piece
    part = layer * (piece.amax() + 1) + piece
    flat = project(mesh, surface, _recut(charts, part, surface))
    return flat, *upright_boxes(evened(flat, surface), flat)


def _layers(mesh: DeviceMesh, flat: FlatCharts) -> Tensor | None:
    """(F,) numbers of layers, so that no two faces of a chart and layer overlap; None where none do."""
    charts = flat.charts
    x, y = flat.points[flat.corners.T].unbind(dim=2)  # (3, F) each
    extent = (flat.points.amax(dim=0) - flat.points.amin(dim=0)).amax()
    one, two = overlapping_triangles(x, y, charts.of_face, TOLERANCE * extent)
    if not len(one):
        return None
    a, b, c = mesh.corners()
    depth = -((a + b + c) * charts.directions[charts.of_face]).sum(dim=1)
    # Of two overlapping faces the one further from the viewer goes one layer down.
    swap = depth[one] > depth[two]
    above, below = torch.where(swap, two, one), torch.where(swap, one, two)
    layer = torch.zeros_like(charts.of_face)
    while waits.number((same := layer[above] == layer[below]).any(), "whether layers overlap"):
        step = torch.zeros_like(layer)
        layer = layer + step.scatter_reduce(0, below, same.long(), "amax")
    return layer


def _pieces(flat: FlatCharts, points: Tensor, sizes: Tensor) -> Tensor | None:
    """(F,) numbers of the pieces that long charts are cut into, which leave their square mostly empty; None
    where none is too long (see `mesh.uv_flatten.cut_long`).
    """
    of_face, width = flat.charts.of_face, sizes[:, 0]
    faces = flat_areas(points, flat)
    longest = LONGEST * torch.sqrt(faces.abs().sum() / FIRST_FILL)
    areas = group_sums(faces[:, None], of_face, len(sizes))[:, 0]
    wanted = torch.ceil(width / longest.clamp_min(1e-300) - 1e-6)
    pieces = torch.where(areas < WELL_FILLED * width.square(), wanted, 1)
    hollow = (areas < HOLLOW * sizes.prod(dim=1)) & (width > LARGE * longest)
    pieces = torch.where(hollow, pieces.clamp_min(2), pieces)
    if not waits.number((pieces > 1).any(), "whether charts are too long"):
        return None
    centre = points[:, 0][flat.corners].mean(dim=1)
    return torch.floor(centre * (pieces / width.clamp_min(1e-300))[of_face]).long()


def project(mesh: DeviceMesh, surface: Surface, charts: Charts) -> FlatCharts:
    """Charts along their directions, one point for each vertex of each chart."""
    count, of_face = len(mesh.vertices), charts.of_face
    keys = (of_face[:, None] * count + mesh.faces).reshape(-1)
    order, run = sorted_runs(keys)
    corners = torch.empty_like(order)
    corners[order] = run
    total = waits.number(run[-1] + 1, "corners of charts")
    key = keys.new_empty(total)
    key[run] = keys[order]  # the same one from every corner
    sources, of_point = key % count, torch.div(key, count, rounding_mode="floor")
    frames = plane_frames(charts.directions)
    position = mesh.vertices.to(exact(mesh.device))[sources]
    points = (position[:, None] * frames[of_point][:, :2]).sum(dim=2)
    neighbours = surface.neighbours
    itself = neighbours == torch.arange(len(neighbours), device=neighbours.device)[:, None]
    border = itself | (of_face[neighbours] != of_face[:, None])
    edge = waits.places(border.reshape(-1), "border edges of charts")
    corners = corners.reshape(-1, 3)
    ends = corners.roll(-1, dims=1).reshape(-1)[edge]
    borders = torch.stack([corners.reshape(-1)[edge], ends], dim=1)
    return FlatCharts(points, corners, sources, of_point, charts, frames, borders)


def plane_frames(directions: Tensor) -> Tensor:
    """(C, 3, 3): rows right, up and direction, right-handed (see `mesh.uv_flatten.plane_axes`)."""
    y, z = torch.eye(3, dtype=directions.dtype, device=directions.device)[1:]
    helper = torch.where((directions[:, 2].abs() > 0.9)[:, None], y, z)
    right = torch.linalg.cross(helper, directions)
    right = right / torch.linalg.vector_norm(right, dim=1, keepdim=True)
    return torch.stack([right, torch.linalg.cross(directions, right), directions], dim=1)


def _recut(charts: Charts, part: Tensor, surface: Surface) -> Charts:
    """Charts cut where the numbers ``part`` (F,) of neighbouring faces differ."""
    of_face, beside = charts.of_face[:, None], surface.neighbours
    parts = joined(
        (charts.of_face[beside] == of_face) & (part[beside] == part[:, None]), surface, "cut charts"
    )
    directions = charts.directions.new_empty(parts.count, 3)
    directions[parts.of_face] = charts.directions[charts.of_face]  # the same one from every face
    return Charts(parts.of_face, directions)


def evened(flat: FlatCharts, surface: Surface) -> Tensor:
    """Points after one linear map a chart that makes its average metric the identity (see
    `mesh.uv_boxes.evened`).
    """
    of_face = flat.charts.of_face
    seen = (surface.normals[:, None] * flat.frames[of_face]).sum(dim=2)  # along right, up, direction
    # Faces without area have no slope.
    slope = seen[:, :2] / torch.where(seen[:, 2:] > 1e-3, seen[:, 2:], torch.inf)
    sloped = surface.areas[:, None] * slope
    metric = torch.cat([surface.areas[:, None], sloped * slope[:, :1], sloped[:, 1:] * slope[:, 1:]], dim=1)
    sums = group_sums(metric, of_face, len(flat.frames))
    xx, xy, yy = (sums[:, 1:] / torch.where(sums[:, :1] > 0, sums[:, :1], 1)).unbind(dim=1)
    xx, yy = xx + 1, yy + 1
    # The root of a symmetric 2x2 matrix M: (M + sqrt(det) I) / sqrt(trace + 2 sqrt(det)).
    root = torch.sqrt(xx * yy - xy * xy)
    scale = 1 / torch.sqrt(xx + yy + 2 * root)
    maps = torch.stack([xx + root, xy, xy, yy + root], dim=1).reshape(-1, 2, 2) * scale[:, None, None]
    return (maps[flat.of_point] * flat.points[:, None]).sum(dim=2)


def upright_boxes(points: Tensor, flat: FlatCharts) -> tuple[Tensor, Tensor]:
    """Points turned so that each chart's box is smallest and lies flat, with its corner at the origin, and
    the (C, 2) sizes of the boxes (width not below height).
    """
    count = len(flat.charts.directions)
    numbers = torch.arange(len(points), device=points.device)
    # A chart of faces without area may have no border; its first point then.
    first = torch.full((count,), len(points), device=points.device)
    first = first.scatter_reduce(0, flat.of_point, numbers, "amin")
    rim = torch.cat([flat.borders[:, 0], first])
    of_rim = flat.of_point[rim]
    angles = torch.arange(ANGLES, device=points.device).to(points.dtype) * (torch.pi / 2 / ANGLES)
    x, y = points[rim].unbind(dim=1)
    turned = _turned(x[:, None], y[:, None], angles)  # (R, A, 2)
    low, high = _extremes(turned.flatten(1), of_rim, count)
    sizes = (high - low).reshape(count, ANGLES, 2)
    best = sizes.prod(dim=2).argmin(dim=1)
    size = sizes[torch.arange(count, device=points.device), best]
    angle = angles[best] + torch.where(size[:, 1] > size[:, 0], torch.pi / 2, 0)
    turned = _turned(points[:, 0], points[:, 1], angle[flat.of_point])
    low, high = _extremes(turned[rim], of_rim, count)
    return turned - low[flat.of_point], high - low


def _turned(x: Tensor, y: Tensor, angle: Tensor) -> Tensor:
    """(..., 2) points turned by angles."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def _extremes(values: Tensor, group: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(count, D) smallest and largest values (N, D) of each group."""
    where = group[:, None].expand_as(values)
    low = values.new_full((count, values.shape[1]), torch.inf).scatter_reduce(0, where, values, "amin")
    return low, torch.full_like(low, -torch.inf).scatter_reduce(0, where, values, "amax")


def flat_areas(points: Tensor, flat: FlatCharts) -> Tensor:
    """(F,) areas in the plane."""
    a, b, c = points[flat.corners.T]
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
