"""Border loops of a surface and their triangulation: a fan where the loop is star-shaped, ears
otherwise. numpy only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.mesh.half_edges import edge_keys, fan_labels, half_edges
from geco.mesh.topology import append_vertices
from geco.mesh.types import Mesh
from geco.types import Doubles, Longs

_EARS_AT_MOST = 400  # ear clipping takes quadratic time; a longer loop gets a fan whatever its shape


def border_loops(faces: NDArray[np.integer], twin: Longs, vertex_count: int) -> list[list[int]]:
    """The borders as vertex loops, in the direction that the missing faces would have.

    At a vertex where several borders meet, each fan of faces keeps to its own border; a loop that still comes
    back to one of its vertices is cut there into simple ones. Slits of two edges are left out: they are
    closed already.
    """
    border = np.flatnonzero(twin < 0)
    if not border.size:
        return []
    start, _ = half_edges(faces)
    fan = fan_labels(faces, twin, vertex_count)
    following = border + 1 - 3 * (border % 3 == 2)  # the corner at the end of each border half-edge
    # an open fan has one border half-edge in, one out
    arriving = {int(f): int(h) for f, h in zip(fan[following], border)}
    leaving = {int(h): int(f) for h, f in zip(border, fan[border])}
    loops: list[list[int]] = []
    waiting = dict.fromkeys(leaving)
    while waiting:
        loop: list[int] = []
        half_edge = next(iter(waiting))
        while half_edge in waiting:
            del waiting[half_edge]
            loop.append(int(start[half_edge]))
            half_edge = arriving[leaving[half_edge]]
        loops += _simple(loop)
    return [loop for loop in loops if len(loop) > 2]


def fill_loops(mesh: Mesh, loops: list[list[int]]) -> Mesh:
    """``mesh`` with these loops closed; the middle of a fan is a new vertex, the mean of its loop
    in every attribute.
    """
    if not loops:
        return mesh
    start, end = half_edges(mesh.faces)
    present = np.sort(edge_keys(start, end, len(mesh.vertices)))
    triangles: list[list[int]] = []
    centred: list[list[int]] = []
    for loop in loops:
        ears = _close(mesh, loop, present)
        if ears is None:
            middle = len(mesh.vertices) + len(centred)
            centred.append(loop)
            ears = [[a, b, middle] for a, b in zip(loop, loop[1:] + loop[:1])]
        triangles += ears
    if centred:
        groups = np.repeat(np.arange(len(centred)), [len(loop) for loop in centred])
        mesh = append_vertices(
            mesh, groups, np.concatenate([np.asarray(loop) for loop in centred]), len(centred)
        )
    return mesh.with_(faces=np.concatenate([mesh.faces, np.asarray(triangles, np.int32)]))


def _simple(loop: list[int]) -> list[list[int]]:
    """A closed walk cut into loops that visit each vertex once."""
    loops: list[list[int]] = []
    walk: list[int] = []
    for vertex in loop:
        if vertex in walk:
            at = walk.index(vertex)
            loops.append(walk[at:])
            walk = walk[:at]
        walk.append(vertex)
    return [*loops, walk]


def _close(mesh: Mesh, loop: list[int], present: Longs) -> list[list[int]] | None:
    """Triangles on the loop's own vertices, or None where a fan from the middle is better."""
    if len(loop) == 3:
        return [list(loop)]
    points = mesh.vertices[loop].astype(np.float64)
    spokes = points - points.mean(axis=0)
    normals = np.cross(spokes, np.roll(spokes, -1, axis=0))
    total = normals.sum(axis=0)
    length = float(np.linalg.norm(total))
    if length == 0 or len(loop) > _EARS_AT_MOST or (normals @ total > 0).all():
        return None
    x = np.cross(total, np.eye(3)[np.argmin(np.abs(total))])
    x /= np.linalg.norm(x)
    flat = np.stack([spokes @ x, spokes @ np.cross(total / length, x)], axis=1)
    ears = _ears(flat)
    if ears is None:
        return None
    # A diagonal may run along an edge that the surface has already, which would give that edge more than two
    # faces.
    corners = np.asarray(loop)[ears]
    sides = np.sort(np.concatenate([ears[:, [0, 1]], ears[:, [1, 2]], ears[:, [2, 0]]]), axis=1)
    inner = sides[(sides[:, 1] - sides[:, 0] != 1) & (sides[:, 1] - sides[:, 0] != len(loop) - 1)]
    ends = np.asarray(loop)[inner]
    keys = edge_keys(ends[:, 0], ends[:, 1], len(mesh.vertices))
    if (present[np.minimum(np.searchsorted(present, keys), len(present) - 1)] == keys).any():
        return None
    return [[int(v) for v in ear] for ear in corners]


def _ears(flat: Doubles) -> Longs | None:
    """Ear clipping of a counter-clockwise polygon, roundest ear first; (n - 2, 3), or None where
    the polygon crosses itself.
    """
    left = list(range(len(flat)))
    ears = []
    while len(left) > 3:
        ring = np.asarray(left)
        a, b, c = flat[np.roll(ring, 1)], flat[ring], flat[np.roll(ring, -1)]
        area = _cross(b - a, c - b)
        sides = np.square(b - a).sum(axis=1) + np.square(c - b).sum(axis=1) + np.square(a - c).sum(axis=1)
        quality = np.where(area > 0, area / np.maximum(sides, 1e-300), -1.0)
        for i in np.argsort(-quality):
            if quality[i] <= 0:
                return None
            others = np.delete(ring, [i - 1, i, (i + 1) % len(ring)])
            p = flat[others]
            inside = (
                (_cross(b[i] - a[i], p - a[i]) >= 0)
                & (_cross(c[i] - b[i], p - b[i]) >= 0)
                & (_cross(a[i] - c[i], p - c[i]) >= 0)
            )
            if not inside.any():
                ears.append([left[i - 1], left[i], left[(i + 1) % len(left)]])
                del left[i]
                break
        else:
            return None
    ears.append(left)
    return np.asarray(ears, np.int64)


def _cross(a: Doubles, b: Doubles) -> Doubles:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
