"""Project charts along their directions, and split those that fold over themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import cross, dot, expand, runs, sorted_with_order
from geco.mesh.uv_charts import Charts, firsts
from geco.mesh.uv_graph import components
from geco.mesh.uv_overlap import overlapping_triangles, suspect_groups
from geco.types import Array, Index

WELL_FILLED = 0.5  # own choice: charts that fill half of the square around them pack well and stay whole
HOLLOW, LARGE = 0.45, 0.3  # own choice: rings and hooks that leave half of a large box empty are cut in two
TOLERANCE = 1e-7  # of the extent; float32 texture coordinates are no finer


@dataclass
class FlatCharts:
    """Charts in the plane, each in its own frame.

    Attributes:
        points: (2, N) float64 positions.
        corners: (3, F) point of each face corner.
        sources: (N,) mesh vertex of each point.
        of_point: (N,) chart of each point.
        of_face: (F,) chart of each face.
        borders: (2, B) points of the border edges.
        directions: (3, C) unit vectors that each chart was projected along.
    """

    points: Array
    corners: Index
    sources: Index
    of_point: Index
    of_face: Index
    borders: Index
    directions: Array

    @property
    def count(self) -> int:
        """Number of charts."""
        return int(self.directions.shape[1])


def flatten(vertices: Array, faces: Index, charts: Charts, links: Index) -> FlatCharts:
    """Charts projected along their directions, cut further until no two triangles of a chart overlap.

    Args:
        vertices: (3, V) float64.
        faces: (F, 3).
        charts: of :func:`geco.mesh.uv_charts.segment`.
        links: (2, E) half-edge pairs.
    """
    flat = _project(vertices, faces, charts, links)
    below = _folded_pairs(flat)
    if not below.shape[1]:
        return flat
    return _project(vertices, faces, _peeled(vertices, faces, charts, links, below), links)


def _project(vertices: Array, faces: Index, charts: Charts, links: Index) -> FlatCharts:
    corners, sources = _split_vertices(faces, charts.of_face, vertices.shape[1])
    of_point = np.empty(len(sources), np.intp)
    for corner in corners:
        of_point[corner] = charts.of_face
    position = vertices.take(sources, axis=1)
    axes = plane_axes(charts.directions)
    points = np.stack([dot(position, axis.take(of_point, axis=1)) for axis in axes])
    one, two = (charts.of_face.take(side // 3) for side in links)
    border = np.ones(faces.size, bool)
    border[links.take(np.flatnonzero(one == two), axis=1)] = False
    edge = np.flatnonzero(border)
    face, corner = np.divmod(edge, 3)
    flat, after = corners.reshape(-1), (corner + 1) * (corner < 2)
    borders = np.stack([flat.take(k * len(faces) + face) for k in (corner, after)])
    return FlatCharts(points, corners, sources, of_point, charts.of_face, borders, charts.directions)


def _split_vertices(faces: Index, of_face: Index, vertex_count: int) -> tuple[Index, Index]:
    """One point for each (chart, vertex): (3, F) point numbers and the (N,) vertex of each."""
    flat, of_corner = faces.reshape(-1), np.repeat(of_face, 3)
    owner = np.full(vertex_count, -1, np.intp)
    owner[flat] = of_corner
    away = np.flatnonzero(
        owner.take(flat) != of_corner
    )  # corners on seams: their chart is not the vertex's own
    used = np.flatnonzero(owner >= 0)
    number = np.cumsum(owner >= 0) - 1
    corners = number.take(flat)
    keys, order = sorted_with_order(of_corner.take(away) * vertex_count + flat.take(away))
    begins, counts = runs(keys)
    corners[away.take(order)] = len(used) + expand(counts)[0]
    sources = np.concatenate([used, keys.take(begins) % vertex_count])
    return np.ascontiguousarray(corners.reshape(-1, 3).T), sources


def plane_axes(directions: Array) -> tuple[Array, Array]:
    """Right and up so that (right, up, direction) is right-handed: two (3, C) arrays; up is near
    world z where it can be.
    """
    helper = np.where(np.abs(directions[2]) > 0.9, [[0.0], [1.0], [0.0]], [[0.0], [0.0], [1.0]])
    right = cross(helper, directions)
    right /= np.sqrt(dot(right, right))
    return right, cross(directions, right)


def _folded_pairs(flat: FlatCharts) -> Index:
    """(2, P) faces of the same chart that overlap in its plane."""
    of_border = flat.of_point.take(flat.borders[0])
    starts, ends = (flat.points.take(side, axis=1) for side in flat.borders)
    suspect = suspect_groups(starts, ends, flat.borders, of_border, flat.count)
    # where two fans meet in one point, or a fan winds around it more than once, triangles may overlap without
    # a crossing
    suspect[flat.of_point.compress(_angle_sums(flat) > 2 * np.pi + 1e-3)] = True
    pinched = np.bincount(flat.borders[0], minlength=len(flat.sources)) > 1
    if pinched.any():
        one, two, three = (pinched.take(corner) for corner in flat.corners)
        fans = np.flatnonzero((one | two | three) & ~suspect.take(flat.of_face))
        suspect[flat.of_face.take(_overlaps(flat, fans)[0])] = True
    return _overlaps(flat, np.flatnonzero(suspect.take(flat.of_face)))


def _overlaps(flat: FlatCharts, faces: Index) -> Index:
    """(2, P) those of the given faces that overlap within one chart."""
    if not len(faces):
        return np.zeros((2, 0), np.intp)
    corners = [flat.points.take(corner.take(faces), axis=1) for corner in flat.corners]
    extent = float(np.ptp(flat.points, axis=1).max())
    triangles = np.stack(corners).transpose(2, 0, 1)
    pairs = overlapping_triangles(triangles, flat.of_face.take(faces), TOLERANCE * extent)
    return faces.take(pairs.T)


def _angle_sums(flat: FlatCharts) -> Array:
    """(N,) sum of the corner angles around each point."""
    points = flat.points.astype(np.float32)
    corners = [points.take(corner, axis=1) for corner in flat.corners]
    total = np.zeros(len(flat.sources))
    for k, corner in enumerate(flat.corners):
        (ex, ey), (fx, fy) = corners[k - 2] - corners[k], corners[k - 1] - corners[k]
        angles = np.arctan2(np.abs(ex * fy - ey * fx), ex * fx + ey * fy)
        total += np.bincount(corner, angles, len(total))
    return total


def _peeled(vertices: Array, faces: Index, charts: Charts, links: Index, overlaps: Index) -> Charts:
    """Charts cut into layers: of two overlapping faces, the one further from the viewer goes one
    layer down.
    """
    depth = []
    for side in overlaps:
        a, b, c = (vertices.take(corner, axis=1) for corner in faces.take(side, axis=0).T)
        depth.append(-dot((a + b + c) / 3, charts.directions.take(charts.of_face.take(side), axis=1)))
    swap = depth[0] > depth[1]
    above, below = np.where(swap, overlaps[::-1], overlaps)
    layer = np.zeros(len(faces), np.intp)
    while len(same := np.flatnonzero(layer.take(above) == layer.take(below))):
        deeper = np.zeros(len(faces), bool)
        deeper[below.take(same)] = True
        layer += deeper
    return _recut(charts, layer, links)


def _recut(charts: Charts, part: Index, links: Index) -> Charts:
    """Charts cut where the numbers of neighbouring faces differ."""
    one, two = links // 3
    joined = (charts.of_face.take(one) == charts.of_face.take(two)) & (part.take(one) == part.take(two))
    inner = np.flatnonzero(joined)
    of_face = components(len(part), one.take(inner), two.take(inner))
    return Charts(of_face, charts.directions.take(charts.of_face.take(firsts(of_face)), axis=1))


def cut_long(
    vertices: Array,
    faces: Index,
    flat: FlatCharts,
    links: Index,
    points: Array,
    sizes: Array,
    longest: float,
) -> FlatCharts | None:
    """Long charts that leave their square mostly empty cut across into equal pieces, so that they do not set
    the scale of all.

    Args:
        points, sizes: of :func:`upright_boxes`.
        longest: in the units of ``points``.

    Returns:
        The new charts, or None when none was too long.
    """
    (ax, ay), (bx, by), (cx, cy) = (points.take(corner, axis=1) for corner in flat.corners)
    double = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    areas = np.bincount(flat.of_face, double / 2, flat.count)
    width = sizes[0]
    pieces = np.where(areas < WELL_FILLED * width**2, np.ceil(width / max(longest, 1e-300) - 1e-6), 1)
    hollow = (areas < HOLLOW * (width * sizes[1])) & (width > LARGE * longest)
    pieces = np.where(hollow, np.maximum(pieces, 2), pieces)
    if not (pieces > 1).any():
        return None
    step = (pieces / np.maximum(width, 1e-300)).take(flat.of_face)
    part = np.floor((ax + bx + cx) / 3 * step).astype(np.intp)
    return _project(vertices, faces, _recut(Charts(flat.of_face, flat.directions), part, links), links)
