"""Project charts along their directions, and split those that fold over themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.uv_charts import Charts
from geco.mesh.uv_graph import components
from geco.mesh.uv_overlap import overlapping_triangles, suspect_groups
from geco.types import Array, Index

_WELL_FILLED = 0.5  # own choice: charts that fill half of the square around them pack well and stay whole
_HOLLOW, _LARGE = 0.45, 0.3  # own choice: rings and hooks that leave half of a large box empty are cut in two
_TOLERANCE = 1e-7  # of the extent; float32 texture coordinates are no finer


@dataclass
class FlatCharts:
    """Charts in the plane, each in its own frame.

    Attributes:
        points: (N, 2) float64 positions.
        corners: (F, 3) point of each face corner.
        sources: (N,) mesh vertex of each point.
        of_point: (N,) chart of each point.
        of_face: (F,) chart of each face.
        borders: (B, 2) points of the border edges.
        directions: (C, 3) unit vectors that each chart was projected along.
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
        return len(self.directions)


def flatten(vertices: Array, faces: Index, charts: Charts, links: Index) -> FlatCharts:
    """Charts projected along their directions, cut further until no two triangles of a chart overlap.

    Args:
        vertices: (V, 3) float64.
        faces: (F, 3).
        charts: of :func:`geco.mesh.uv_charts.segment`.
        links: (E, 2) half-edge pairs.
    """
    flat = _project(vertices, faces, charts, links)
    below = _folded_pairs(flat)
    if not len(below):
        return flat
    return _project(vertices, faces, _peeled(vertices, faces, charts, links, below), links)


def _project(vertices: Array, faces: Index, charts: Charts, links: Index) -> FlatCharts:
    corners, sources = _split_vertices(faces, charts.of_face, len(vertices))
    of_point = np.empty(len(sources), np.intp)
    of_point[corners] = charts.of_face[:, None]
    right, up = plane_axes(charts.directions)
    position = vertices[sources]
    points = np.stack([(position * axis[of_point]).sum(axis=1) for axis in (right, up)], axis=1)
    inner = links[charts.of_face[links[:, 0] // 3] == charts.of_face[links[:, 1] // 3]]
    border = np.ones(faces.size, bool)
    border[inner] = False
    flat = corners.reshape(-1)
    edge = np.flatnonzero(border)
    borders = np.stack([flat[edge], flat[edge - edge % 3 + (edge + 1) % 3]], axis=1)
    return FlatCharts(points, corners, sources, of_point, charts.of_face, borders, charts.directions)


def _split_vertices(faces: Index, of_face: Index, vertex_count: int) -> tuple[Index, Index]:
    """One point for each (chart, vertex): (F, 3) point numbers and the (N,) vertex of each."""
    owner = np.full(vertex_count, -1, np.intp)
    owner[faces] = of_face[:, None]
    away = owner[faces] != of_face[:, None]  # corners on seams: their chart is not the vertex's own
    used = np.flatnonzero(owner >= 0)
    number = np.cumsum(owner >= 0) - 1
    corners = number[faces]
    keys = (faces.astype(np.int64) + of_face[:, None].astype(np.int64) * vertex_count)[away]
    extra, inverse = np.unique(keys, return_inverse=True)
    corners[away] = len(used) + inverse
    return corners, np.concatenate([used, extra % vertex_count])


def plane_axes(directions: Array) -> tuple[Array, Array]:
    """Right and up so that (right, up, direction) is right-handed: two (C, 3) arrays; up is near
    world z where it can be.
    """
    helper = np.where((np.abs(directions[:, 2]) > 0.9)[:, None], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    right = np.cross(helper, directions)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return right, np.cross(directions, right)


def _folded_pairs(flat: FlatCharts) -> Index:
    """(P, 2) faces of the same chart that overlap in its plane."""
    starts, ends = flat.points[flat.borders[:, 0]], flat.points[flat.borders[:, 1]]
    suspect = suspect_groups(starts, ends, flat.borders, flat.of_point[flat.borders[:, 0]], flat.count)
    # where two fans meet in one point, or a fan winds around it more than once, triangles may overlap without
    # a crossing
    suspect[flat.of_point[_angle_sums(flat) > 2 * np.pi + 1e-3]] = True
    pinched = np.bincount(flat.borders[:, 0], minlength=len(flat.points)) > 1
    fans = np.flatnonzero(pinched[flat.corners].any(axis=1) & ~suspect[flat.of_face])
    suspect[flat.of_face[_overlaps(flat, fans)[:, 0]]] = True
    return _overlaps(flat, np.flatnonzero(suspect[flat.of_face]))


def _overlaps(flat: FlatCharts, faces: Index) -> Index:
    """(P, 2) those of the given faces that overlap within one chart."""
    triangles = flat.points[flat.corners[faces]]
    extent = float(np.ptp(flat.points, axis=0).max())
    return faces[overlapping_triangles(triangles, flat.of_face[faces], _TOLERANCE * extent)]


def _angle_sums(flat: FlatCharts) -> Array:
    """(N,) sum of the corner angles around each point."""
    x, y = flat.points.astype(np.float32).T
    ax, ay = x[flat.corners], y[flat.corners]
    ex, ey = np.roll(ax, -1, axis=1) - ax, np.roll(ay, -1, axis=1) - ay
    fx, fy = np.roll(ax, 1, axis=1) - ax, np.roll(ay, 1, axis=1) - ay
    angles = np.arctan2(np.abs(ex * fy - ey * fx), ex * fx + ey * fy)
    return np.bincount(flat.corners.reshape(-1), angles.reshape(-1), len(flat.points))


def _peeled(vertices: Array, faces: Index, charts: Charts, links: Index, overlaps: Index) -> Charts:
    """Charts cut into layers: of two overlapping faces, the one further from the viewer goes one
    layer down.
    """
    centres = vertices[faces].mean(axis=1)
    depth = -(centres * charts.directions[charts.of_face]).sum(axis=1)
    swap = depth[overlaps[:, 0]] > depth[overlaps[:, 1]]
    above, below = np.where(swap[:, None], overlaps[:, ::-1], overlaps).T
    layer = np.zeros(len(faces), np.intp)
    while (same := layer[above] == layer[below]).any():
        layer[np.unique(below[same])] += 1
    return _recut(charts, layer, links)


def _recut(charts: Charts, part: Index, links: Index) -> Charts:
    """Charts cut where the numbers of neighbouring faces differ."""
    pairs = links // 3
    one, two = pairs.T
    joined = (charts.of_face[one] == charts.of_face[two]) & (part[one] == part[two])
    of_face = components(len(part), pairs[joined])
    directions = np.empty((int(of_face.max()) + 1, 3))
    directions[of_face] = charts.directions[charts.of_face]
    return Charts(of_face, directions)


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
    a, b, c = (points[flat.corners[:, k]] for k in range(3))
    double = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    areas = np.bincount(flat.of_face, double / 2, flat.count)
    width = sizes[:, 0]
    pieces = np.where(areas < _WELL_FILLED * width**2, np.ceil(width / max(longest, 1e-300) - 1e-6), 1)
    hollow = (areas < _HOLLOW * sizes.prod(axis=1)) & (width > _LARGE * longest)
    pieces = np.where(hollow, np.maximum(pieces, 2), pieces)
    if not (pieces > 1).any():
        return None
    centre = points[:, 0][flat.corners].mean(axis=1)
    part = np.floor(centre * (pieces / np.maximum(sizes[:, 0], 1e-300))[flat.of_face]).astype(np.intp)
    return _project(vertices, faces, _recut(Charts(flat.of_face, flat.directions), part, links), links)
