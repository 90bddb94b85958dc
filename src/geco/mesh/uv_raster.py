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
from geco.mesh.types import Mesh
from geco.mesh.uv_graph import expand
from geco.types import Bools, Doubles, Floats, Index, Ints


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
        for channel in range(attribute.shape[1]):
            corners = np.ascontiguousarray(attribute[:, channel][mesh.faces.T], np.float32)
            total = corners[0][self.faces] * self.weights[0]
            total += corners[1][self.faces] * self.weights[1]
            total += corners[2][self.faces] * self.weights[2]
            result[:, channel] = total
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
    x, y = (mesh.uvs.astype(np.float64) * size - 0.5).T
    faces = mesh.faces.T.astype(np.intp)
    low, high = np.ceil(y[faces].min(axis=0)), np.ceil(y[faces].max(axis=0))
    first = np.clip(low, 0, size).astype(np.intp)
    counts = np.clip(high, 0, size).astype(np.intp) - first
    face, place = expand(counts)
    row = first[face] + place
    start, length = _runs(x, y, faces, face, row, size)
    keep = length > 0
    face, row, start, length = face[keep], row[keep], start[keep], length[keep]
    return _texels((x, y), faces, face, row, start, length, size)


def _runs(x: Doubles, y: Doubles, faces: Index, face: Index, row: Index, size: int) -> tuple[Index, Index]:
    """First column and number of columns of each (face, row)."""
    order = np.argsort(y[faces], axis=0, kind="stable")
    top, middle, bottom = np.take_along_axis(faces, order, axis=0)
    upper = row < y[middle][face]
    long = _crossing(x, y, top[face], bottom[face], row)
    short = _crossing(
        x, y, np.where(upper, top[face], middle[face]), np.where(upper, middle[face], bottom[face]), row
    )
    first = np.clip(np.ceil(np.minimum(long, short)), 0, size).astype(np.intp)
    return first, np.clip(np.ceil(np.maximum(long, short)), 0, size).astype(np.intp) - first


def _crossing(x: Doubles, y: Doubles, top: Index, bottom: Index, row: Index) -> Doubles:
    return x[top] + (row - y[top]) * ((x[bottom] - x[top]) / (y[bottom] - y[top]))


def _texels(
    points: tuple[Doubles, Doubles],
    faces: Index,
    face: Index,
    row: Index,
    start: Index,
    length: Index,
    size: int,
) -> UVRaster:
    """Texels of runs: ``length`` of them in ``row`` from column ``start`` on, all within ``face``."""
    x, y = points
    (ax, bx, cx), (ay, by, cy) = x[faces], y[faces]
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    inverse = np.divide(1.0, double, out=np.zeros_like(double), where=double != 0)
    # change of the weights of b and c by one column
    step_b, step_c = (cy - ay) * inverse, (ay - by) * inverse
    dx, dy = start - ax[face], row - ay[face]
    first_b = dx * step_b[face] + dy * ((ax - cx) * inverse)[face]
    first_c = dx * step_c[face] + dy * ((bx - ax) * inverse)[face]
    along = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    column = along.astype(np.float32)
    weights = np.empty((3, len(along)), np.float32)
    for k, (at, step) in ((1, (first_b, step_b)), (2, (first_c, step_c))):
        np.multiply(column, np.repeat(step[face].astype(np.float32), length), out=weights[k])
        weights[k] += np.repeat(at.astype(np.float32), length)
        np.clip(weights[k], 0, 1, out=weights[k])  # centres on an edge may miss it by rounding
    np.subtract(1, weights[1], out=weights[0])
    np.minimum(weights[2], weights[0], out=weights[2])
    weights[0] -= weights[2]
    return UVRaster(
        size, np.repeat(row * size + start, length) + along, np.repeat(face.astype(np.int32), length), weights
    )
