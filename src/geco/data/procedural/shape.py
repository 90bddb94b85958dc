"""One closed textured surface: the piece that procedural objects are assembled from, and what can be done to
it.

Axes as everywhere: z up, the object's front on +x, its left on +y. Every shape is closed and faces outwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geco.types import Bools, Doubles, Longs

_WELD = 1e-7  # corners nearer than this are one position (coordinates are of the order of 1)


@dataclass(frozen=True)
class Shape:
    """A closed surface with a chart for its side and one for its ends.

    Attributes:
        vertices: (V, 3); a position on a seam appears once a side.
        faces: (F, 3), counter-clockwise from outside.
        uvs: (V, 2) in [0, 1], v downwards; u = 0.5 faces +x.
        ends: (V,) whether the vertex belongs to an end cap (the chart of the ends) rather than to the side.
        size: width and height of the side's chart in world units, so that patterns are not stretched.
        smooth: whether neighbouring faces share a normal.
    """

    vertices: Doubles
    faces: Longs
    uvs: Doubles
    ends: Bools
    size: tuple[float, float]
    smooth: bool = True

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Shape:
        """Moved."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Shape:
        """Scaled about the origin, by one factor or one an axis (all positive)."""
        factors = np.array([x, x if y is None else y, x if z is None else z])
        width, height = self.size
        return replace(
            self,
            vertices=self.vertices * factors,
            size=(width * float(np.sqrt(factors[0] * factors[1])), height * factors[2]),
        )

    def turned(self, axis: str, degrees: float) -> Shape:
        """Rotated about a world axis ("x", "y", "z"), right-handed."""
        return replace(self, vertices=self.vertices @ rotation(axis, degrees).T)

    def toward(self, direction: NDArray[np.floating] | tuple[float, float, float]) -> Shape:
        """Rotated so that its z axis points along ``direction`` (its front turns as little as needed)."""
        target = np.asarray(direction, np.float64)
        target = target / np.linalg.norm(target)
        tilt = float(np.degrees(np.arccos(np.clip(target[2], -1, 1))))
        around = float(np.degrees(np.arctan2(target[1], target[0])))
        return self.turned("z", -around).turned("y", tilt).turned("z", around)

    def mirrored(self) -> Shape:
        """Seen in a mirror that swaps left and right (y -> -y), still facing outwards."""
        return replace(self, vertices=self.vertices * np.array([1, -1, 1]), faces=self.faces[:, ::-1])

    def tapered(self, x: float, y: float | None = None) -> Shape:
        """Cross-sections shrink linearly with height, to ``x`` (and ``y``) times their size at the top."""
        t = self._height()[:, None]
        factors = 1 + t * (np.array([x, x if y is None else y]) - 1)
        return self._with_xy(self.vertices[:, :2] * factors)

    def twisted(self, degrees: float) -> Shape:
        """Cross-sections turn about z with height, by ``degrees`` at the top."""
        angle = self._height() * np.radians(degrees)
        x, y = self.vertices[:, 0], self.vertices[:, 1]
        return self._with_xy(
            np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)
        )

    def sheared(self, x: float, y: float = 0.0) -> Shape:
        """The top moves by (x, y), the bottom stays."""
        return self._with_xy(self.vertices[:, :2] + self._height()[:, None] * np.array([x, y]))

    def bent(self, degrees: float) -> Shape:
        """The axis becomes an arc towards +x that turns by ``degrees`` from bottom to top; the
        bottom stays.
        """
        if abs(degrees) < 1e-3:
            return self
        low, high = self.vertices[:, 2].min(), self.vertices[:, 2].max()
        angle = np.radians(degrees) * self._height()
        radius = (high - low) / np.radians(degrees)
        x = self.vertices[:, 0]
        bent = np.stack(
            [radius - (radius - x) * np.cos(angle), self.vertices[:, 1], low + (radius - x) * np.sin(angle)],
            axis=1,
        )
        return replace(self, vertices=bent)

    def normals(self) -> Doubles:
        """(V, 3) unit normals: shared across seams where the shape is smooth; the ends always
        have their own.
        """
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        face = np.cross(b - a, c - a)
        keys = np.concatenate([np.rint(self.vertices / 1e-5), self.ends[:, None]], axis=1)
        group = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        total = np.zeros((group.max() + 1, 3))
        for corner in range(3):
            np.add.at(total, group[self.faces[:, corner]], face)
        normals = total[group]
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def flat(self) -> Shape:
        """The same surface with a vertex a face corner, so that every face has its own normal."""
        index = self.faces.reshape(-1)
        loose = np.arange(len(index)).reshape(-1, 3)
        return replace(
            self,
            vertices=self.vertices[index],
            uvs=self.uvs[index],
            ends=self.ends[index],
            faces=loose,
            smooth=False,
        )

    def volume(self) -> float:
        """Signed volume: positive where the faces look outwards."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float((a * np.cross(b, c)).sum() / 6)

    def _height(self) -> Doubles:
        z = self.vertices[:, 2]
        return (z - z.min()) / max(float(np.ptp(z)), 1e-9)

    def _with_xy(self, xy: Doubles) -> Shape:
        return replace(self, vertices=np.concatenate([xy, self.vertices[:, 2:]], axis=1))


def rotation(axis: str, degrees: float) -> Doubles:
    """(3, 3) right-handed rotation about a world axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def loft(sections: Doubles, capped: bool = True, ring: bool = False, smooth: bool = True) -> Shape:
    """A closed surface through closed cross-sections.

    Args:
        sections: (S, N, 3) corners of every section, all in the same sense; from the bottom to the top. A
            section whose corners coincide is a pole. Sections must be star-shaped about their mean where they
            are capped.
        capped: close the first and the last section with a fan.
        ring: the last section joins the first (a torus); nothing is capped.
        smooth: see :class:`Shape`.
    """
    grid = np.concatenate([sections, sections[:1]], axis=0) if ring else np.asarray(sections, np.float64)
    grid = np.concatenate([grid, grid[:, :1]], axis=1)
    rows, columns = grid.shape[:2]
    around = np.linalg.norm(np.diff(grid, axis=1), axis=2)
    along = np.linalg.norm(np.diff(grid, axis=0), axis=2).mean(axis=1)
    widest = around[around.sum(axis=1).argmax()]
    u = np.concatenate([[0.0], np.cumsum(widest)]) / max(widest.sum(), 1e-12)
    v = 1 - np.concatenate([[0.0], np.cumsum(along)]) / max(along.sum(), 1e-12)
    uvs = np.stack(np.broadcast_arrays(u[None], v[:, None]), axis=2).reshape(-1, 2)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate(
        [np.stack([a, b, c], axis=2).reshape(-1, 3), np.stack([a, c, d], axis=2).reshape(-1, 3)]
    )
    vertices = grid.reshape(-1, 3)
    ends = np.zeros(len(vertices), bool)
    if capped and not ring:
        extra = [_cap(grid[0, :-1], False), _cap(grid[-1, :-1], True)]
        for points, fan, chart in extra:
            faces = np.concatenate([faces, fan + len(vertices)])
            vertices, uvs = np.concatenate([vertices, points]), np.concatenate([uvs, chart])
            ends = np.concatenate([ends, np.ones(len(points), bool)])
    used, faces = np.unique(_without_slivers(vertices, faces), return_inverse=True)
    size = (float(widest.sum()), float(along.sum()))
    shape = Shape(vertices[used], faces.reshape(-1, 3), uvs[used], ends[used], size, smooth)
    if shape.volume() < 0:
        shape = replace(shape, faces=shape.faces[:, ::-1])
    return shape if smooth else shape.flat()


def _cap(corners: Doubles, top: bool) -> tuple[Doubles, Longs, Doubles]:
    """A fan over one section: points, faces, and a chart that keeps its proportions (seen along its axis)."""
    count = len(corners)
    center = corners.mean(axis=0)
    rim = np.arange(count)
    following = (rim + 1) % count
    fan = np.stack(
        [rim, following, np.full(count, count)] if top else [following, rim, np.full(count, count)], axis=1
    )
    offsets = corners - center
    spread = np.ptp(offsets, axis=0)
    keep = np.sort(np.argsort(-spread, kind="stable")[:2])
    plane = offsets[:, keep] / max(float(np.abs(offsets[:, keep]).max()), 1e-12)
    chart = 0.5 + 0.5 * np.concatenate([plane[:, ::-1] * [1, -1], np.zeros((1, 2))])
    return np.concatenate([corners, center[None]]), fan, chart


def _without_slivers(vertices: Doubles, faces: Longs) -> Longs:
    """Faces with two corners at one position (the quads at a pole) carry no area."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    ok = (
        (np.abs(a - b).max(axis=1) > _WELD)
        & (np.abs(b - c).max(axis=1) > _WELD)
        & (np.abs(c - a).max(axis=1) > _WELD)
    )
    return faces[ok]
