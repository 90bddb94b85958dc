"""Which triangle every texel of a texture belongs to, and where on it: rows of triangles, runs of
texels, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.errors import MeshError
from geco.mesh.dilate import nearest_full
from geco.mesh.topology import chosen, expand
from geco.mesh.types import Mesh
from geco.types import Bools, Doubles, Floats, Index, Ints

_BLOCK = 1 << 15  # texels at a time: what is computed of them stays in the cache


@dataclass
class UVRaster:
    """The covered texels of a texture, in the order of their faces.

    Attributes:
        size: texels a side.
        texels: (N,) flat numbers, row * size + column, row 0 at the top; each at most once.
        faces: (N,) int32 face of each.
        weights: (3, N) float32 barycentric weights of the face's corners at the texel's centre.
    """

    size: int
    texels: Index
    faces: Ints
    weights: Floats

    @property
    def face_ids(self) -> Ints:
        """(H, W) int32 face of each texel, -1 where there is none."""
        image = np.full(self.size * self.size, -1, np.int32)
        image[self.texels] = self.faces
        return image.reshape(self.size, self.size)

    @property
    def barycentrics(self) -> Floats:
        """(H, W, 3) float32, 0 where there is no face."""
        image = np.zeros((self.size * self.size, 3), np.float32)
        image[self.texels] = self.weights.T
        return image.reshape(self.size, self.size, 3)

    @property
    def mask(self) -> Bools:
        """(H, W) which texels have a face."""
        image = np.zeros(self.size * self.size, bool)
        image[self.texels] = True
        return image.reshape(self.size, self.size)

    @cached_property
    def filling(self) -> tuple[Index, Index]:
        """Flat numbers of the texels without a face, and of the covered texel near each that
        lends it its colour.
        """
        empty = np.flatnonzero(~self.mask)
        return empty, nearest_full(self.mask).reshape(-1)[empty].astype(np.intp) if len(
            self.texels
        ) else empty

    def part(self, chosen: Index) -> UVRaster:
        """Some of the covered texels."""
        return UVRaster(
            self.size, self.texels[chosen], self.faces[chosen], np.take(self.weights, chosen, axis=1)
        )

    def interpolate(self, mesh: Mesh, attribute: NDArray[Any]) -> Floats:
        """A vertex attribute (V, C) at the covered texels: (N, C) float32."""
        result = np.empty((len(self.texels), attribute.shape[1]), np.float32)
        faces = np.ascontiguousarray(mesh.faces.T, np.intp)
        values = np.ascontiguousarray(attribute.T, np.float32)
        corners = [[channel.take(corner) for corner in faces] for channel in values]
        for begin in range(0, len(result), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            face, weights = self.faces[part].astype(np.intp), self.weights[:, part]
            for channel, (a, b, c) in enumerate(corners):
                total = a.take(face) * weights[0]
                total += b.take(face) * weights[1]
                total += c.take(face) * weights[2]
                result[part, channel] = total
        return result


def rasterize_uv(mesh: Mesh, size: int) -> UVRaster:
    """The texels whose centres lie in a triangle of the mesh's texture.

    Neighbours cover every centre on their common edge exactly once, since both compute the crossing of an
    edge with a row from the same end. Where triangles overlap in the texture, the one of highest number has
    the texel.

    Args:
        mesh: with uvs.
        size: texels a side; the centre of texel (row, column) is uv ((column + 0.5) / size, (row + 0.5) /
            size).

    Raises:
        MeshError: no uvs.
    """
    if mesh.uvs is None:
        raise MeshError("the mesh has no texture coordinates", "Call geco.mesh.uv.unwrap first.")
    points = np.ascontiguousarray(mesh.uvs.T, np.float64) * size - 0.5
    faces = np.ascontiguousarray(mesh.faces.T, np.intp)
    x, y = ([line.take(corner) for corner in faces] for line in points)
    runs = _runs(_top_to_bottom(x, y), size)
    return _texels(x, y, runs, size)


@dataclass
class _Runs:
    """Texels side by side: ``length`` of them in ``row`` from column ``start`` on, all of one ``face``."""

    face: Index
    row: Index
    start: Index
    length: Index


def _top_to_bottom(x: list[Doubles], y: list[Doubles]) -> list[Doubles]:
    """Corners of triangles as (3, 2, F), x and y, the lowest row first; equal rows in the order given."""
    corners = [np.stack(corner) for corner in zip(x, y)]
    for one, two in ((0, 1), (1, 2), (0, 1)):
        later = corners[two][1] < corners[one][1]
        corners[one], corners[two] = (
            chosen(later, corners[two], corners[one]),
            chosen(later, corners[one], corners[two]),
        )
    return corners


def _runs(corners: list[Doubles], size: int) -> _Runs:
    """The runs of texels whose centres lie in triangles, row after row of each."""
    top, middle, bottom = corners
    first, split, past = (
        np.clip(np.ceil(corner[1]), 0, size).astype(np.intp) for corner in (top, middle, bottom)
    )
    face, place = expand(past - first)
    row = first.take(face) + place
    along = row.astype(np.float64)
    long = _crossing(top, bottom, face, along)
    # The short side is the upper edge as far as the middle corner, then the lower one.
    edge = 2 * face + (row >= split.take(face))
    short = _crossing(_woven(top, middle), _woven(middle, bottom), edge, along)
    start = np.clip(np.ceil(np.minimum(long, short)), 0, size).astype(np.intp)
    length = np.clip(np.ceil(np.maximum(long, short)), 0, size).astype(np.intp) - start
    kept = np.flatnonzero(length > 0)
    return _Runs(*(each.take(kept) for each in (face, row, start, length)))


def _woven(one: Doubles, two: Doubles) -> Doubles:
    """(2, F) and (2, F) in turn: (2, 2 F)."""
    return np.stack([one, two], axis=2).reshape(2, -1)


def _crossing(top: Doubles, bottom: Doubles, edge: Index, row: Doubles) -> Doubles:
    """Columns where rows cross edges given by their ends (2, E) and, for each row, the edge's number."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an edge along a row, which no row crosses
        slope = (bottom[0] - top[0]) / (bottom[1] - top[1])
    return top[0].take(edge) + (row - top[1].take(edge)) * slope.take(edge)


def _texels(x: list[Doubles], y: list[Doubles], runs: _Runs, size: int) -> UVRaster:
    (ax, bx, cx), (ay, by, cy) = x, y
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    inverse = np.divide(1.0, double, out=np.zeros_like(double), where=double != 0)
    # change of the weights of b and c by one column
    step_b, step_c = (cy - ay) * inverse, (ay - by) * inverse
    face = runs.face
    dx, dy = runs.start - ax.take(face), runs.row - ay.take(face)
    first_b = dx * step_b.take(face) + dy * ((ax - cx) * inverse).take(face)
    first_c = dx * step_c.take(face) + dy * ((bx - ax) * inverse).take(face)
    lines = [
        (each.astype(np.float32), step.astype(np.float32).take(face))
        for each, step in ((first_b, step_b), (first_c, step_c))
    ]
    run, along = expand(runs.length)
    texels = (runs.row * size + runs.start).take(run) + along
    weights = np.empty((3, len(run)), np.float32)
    for begin in range(0, len(run), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        _weigh(weights[:, part], run[part], along[part].astype(np.float32), lines)
    return UVRaster(size, texels, face.astype(np.int32).take(run), weights)


def _weigh(out: Floats, run: Index, column: Floats, lines: list[tuple[Floats, Floats]]) -> None:
    """Barycentric weights of texels, ``column`` texels into their runs; lines: first value and step of b and
    c for each run.
    """
    for weight, (first, step) in zip(out[1:], lines):
        np.multiply(column, step.take(run), out=weight)
        weight += first.take(run)
        np.clip(weight, 0, 1, out=weight)  # centres on an edge may miss it by rounding
    np.subtract(1, out[1], out=out[0])
    np.minimum(out[2], out[0], out=out[2])
    out[0] -= out[2]
