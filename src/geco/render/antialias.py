"""Anti-aliased silhouettes whose pixels have gradients with respect to the vertices.

A silhouette edge is one whose faces all lie on the same side of it in the picture. Where such an edge passes
between the centres of two neighbouring pixels, the inner colour reaches into the outer pixel, or the outer
one into the inner pixel, by how far the edge lies from the border between them. Either kind of pair, one a
row or one a column, would give the sum of a mask the area of its outline; both are used, weighted by how
steep the edge is. Choosing one kind by edge instead loses or doubles a pixel wherever a zigzag outline
changes kind, which made gradients ten times noisier.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.cameras import intrinsics
from geco.render.rasterize_numpy import NEAREST
from geco.render.rasterize_torch import Fragments, to_pixels

# The surface beside an edge may lie behind it by a steep slope over one pixel: so many pixel widths are still
# the same surface.
STEEPEST = 8.0


@dataclass
class Crossings:
    """Places where silhouette edges pass between two neighbouring pixel centres.

    Attributes:
        inner, outer: (K,) flat numbers of the pixels in the (B, H, W) pictures.
        reach: (K,) distance of the edge from the inner pixel's centre in pixels, 0 to 1, with gradients.
        depth: (K,) of the edge there.
        pair: (K,) number of the pair of pixels.
        edge: (K,) which silhouette edge.
    """

    inner: Tensor
    outer: Tensor
    reach: Tensor
    depth: Tensor
    pair: Tensor
    edge: Tensor

    def __getitem__(self, which: Tensor) -> Crossings:
        return Crossings(*(value[which] for value in vars(self).values()))


def antialias(
    image: Tensor, fragments: Fragments, vertices: Tensor, faces: Tensor, c2w: Tensor, fov: float
) -> Tensor:
    """Blend the pixels along silhouettes.

    Args:
        image: (..., H, W, C) drawn from ``fragments``, background included.
        fragments: of :func:`geco.render.rasterize_torch.rasterize` with the same mesh and cameras.
        vertices: (V, 3), with or without gradients.
        faces: (F, 3).
        c2w: (..., 4, 4).
        fov: degrees.

    Returns:
        An image of the same shape; its gradients reach ``image`` and ``vertices``.
    """
    size = image.shape[-2]
    cameras = c2w.reshape(-1, 4, 4)
    pixels, depth = to_pixels(vertices, cameras, fov, size)
    camera, ends = _silhouettes(pixels.detach(), depth.detach(), faces.long())
    start, end = (pixels[camera, ends[:, i]] for i in (0, 1))
    third = pixels.detach()[camera, ends[:, 2]]
    inverse = 1 / depth.detach()[camera[:, None], ends[:, :2]]

    steep = (end - start).detach().square()
    steep = steep / steep.sum(dim=1, keepdim=True).clamp(min=1e-20)
    flat = image.reshape(-1, image.shape[-1])
    blended = flat
    for vertical in (True, False):
        weight = steep[:, 1 if vertical else 0]
        found = _nearest(
            _cross_lines(start, end, third, inverse, camera, size, vertical), fragments, fov, size
        )
        amount = (found.reach - 0.5) * weight[found.edge]
        target = torch.where(amount > 0, found.outer, found.inner)
        blended = blended.index_add(0, target, amount[:, None] * (flat[found.inner] - flat[found.outer]))
    return blended.reshape(image.shape)


@torch.no_grad()
def _silhouettes(pixels: Tensor, depth: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Cameras (S,) and, for every silhouette edge, its two vertices and the third of one of its
    faces (S, 3).
    """
    halves = torch.cat([faces[:, [0, 1, 2]], faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]])  # (3 F, 3)
    forward = halves[:, 0] < halves[:, 1]
    key = halves[:, :2].amin(dim=1) * pixels.shape[1] + halves[:, :2].amax(dim=1)
    _, edge, count = torch.unique(key, return_inverse=True, return_counts=True)
    a, b, c = (pixels[:, faces[:, i]] for i in range(3))
    area = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (
        b[..., 1] - a[..., 1]
    )
    ahead = (depth[:, faces] > NEAREST).all(dim=2)
    side = torch.where(ahead, area.sign(), 0).repeat(1, 3) * torch.where(forward, 1, -1)
    total = side.new_zeros(len(pixels), len(count)).index_add(1, edge, side)
    camera, found = torch.nonzero(total.abs() == count, as_tuple=True)
    some_half = torch.empty(len(count), dtype=torch.long, device=faces.device)
    some_half[edge] = torch.arange(len(edge), device=faces.device)
    return camera, halves[some_half[found]]


def _cross_lines(
    start: Tensor, end: Tensor, third: Tensor, inverse: Tensor, camera: Tensor, size: int, vertical: bool
) -> Crossings:
    """Where edges (S, 2) meet the lines through pixel centres: rows, with horizontal pairs of
    pixels, or columns.
    """
    across, along = (0, 1) if vertical else (1, 0)
    low = torch.minimum(start[:, along], end[:, along]).detach().ceil().clamp(0, size).long()
    past = torch.maximum(start[:, along], end[:, along]).detach().ceil().clamp(0, size).long()
    count = past - low
    edge = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    line = torch.arange(len(edge), device=count.device) + (low - (torch.cumsum(count, dim=0) - count))[edge]
    begin, finish = start[edge], end[edge]
    part = (line - begin[:, along]) / (finish[:, along] - begin[:, along])
    place = begin[:, across] + part * (finish[:, across] - begin[:, across])
    with torch.no_grad():
        depth = 1 / (inverse[edge, 0] * (1 - part) + inverse[edge, 1] * part)
        low_pixel = place.floor()
        inside = (low_pixel >= 0) & (low_pixel < size - 1)
        at = (third[edge, along] - begin[:, along]) / (finish[:, along] - begin[:, along])
        beyond = third[edge, across] > begin[:, across] + at * (finish[:, across] - begin[:, across])
        low_pixel, keep = low_pixel.long(), torch.nonzero(inside)[:, 0]
        step, stride = (1, size) if vertical else (size, 1)
        pair = camera[edge] * size * size + low_pixel * step + line * stride
    pair, beyond = pair[keep], beyond[keep]
    inner, outer = torch.where(beyond, pair + step, pair), torch.where(beyond, pair, pair + step)
    past_low = (place - low_pixel)[keep]
    return Crossings(inner, outer, torch.where(beyond, 1 - past_low, past_low), depth[keep], pair, edge[keep])


@torch.no_grad()
def _seen(found: Crossings, fragments: Fragments, fov: float, size: int) -> Tensor:
    """(K,) bool: the inner pixel shows the surface of the edge, the outer one something behind it."""
    depth = fragments.depth.detach().reshape(-1)
    slack = STEEPEST * found.depth / (float(intrinsics(fov)[0, 0]) * size)
    ids = fragments.face_ids.reshape(-1)
    return (
        (ids[found.inner] != ids[found.outer])
        & (depth[found.inner] <= found.depth + slack)
        & (depth[found.outer] > found.depth)
    )


def _nearest(found: Crossings, fragments: Fragments, fov: float, size: int) -> Crossings:
    """Only visible crossings, and of those between the same two pixels the nearest."""
    found = found[torch.nonzero(_seen(found, fragments, fov, size))[:, 0]]
    pairs, place = torch.unique(found.pair, return_inverse=True)
    nearest = found.depth.new_full((len(pairs),), float("inf")).scatter_reduce(0, place, found.depth, "amin")
    number = torch.arange(len(place), device=place.device)
    tied = torch.where(found.depth == nearest[place], number, len(place))
    first = torch.full((len(pairs),), len(place), device=place.device).scatter_reduce(0, place, tied, "amin")
    return found[first]
