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
from geco.mesh.cover import Runs, covered_runs
from geco.mesh.dilate import nearest_full
from geco.mesh.topology import expand
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
    x, y = texel_corners(mesh, size)
    return _texels(x, y, covered_runs(x, y, size), size)


def texel_corners(mesh: Mesh, size: int) -> tuple[list[Doubles], list[Doubles]]:
    """Columns and rows of each face's first, second and third corner in texels, whole at the centres.

    Raises:
        MeshError: no uvs.
    """
    if mesh.uvs is None:
        raise MeshError("the mesh has no texture coordinates", "Call geco.mesh.uv.unwrap first.")
    points = np.ascontiguousarray(mesh.uvs.T, np.float64) * size - 0.5
    faces = np.ascontiguousarray(mesh.faces.T, np.intp)
    x, y = ([line.take(corner) for corner in faces] for line in points)
    return x, y


def _texels(x: list[Doubles], y: list[Doubles], runs: Runs, size: int) -> UVRaster:
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
