"""The nearest point of a surface, for very many points that lie close to it: from a vertex of the same cell a
walk from face to face. numpy only.
"""

from __future__ import annotations

import numpy as np

from geco.mesh.topology import corners, cross, dot, weld_groups
from geco.mesh.types import Mesh
from geco.mesh.uv_graph import face_links
from geco.types import Array, Floats, Index, Ints

CELLS = 64  # a side of the grid in which a walk begins; own choice: about the cubes of the surface grid
_GROWN = 4  # cells around the surface in which a walk may begin
_STEPS = 16  # own choice: walks are three to five faces long
_ALONG = 0.2  # cosine from which a vertex counts as turned the same way as an octant's middle
_BLOCK = 1 << 16  # points at a time


class Surface:
    """A mesh made ready for :meth:`nearest`.

    Args:
        mesh: with vertex normals; the walk goes on across seams.
    """

    def __init__(self, mesh: Mesh) -> None:
        assert mesh.normals is not None
        self.faces = np.ascontiguousarray(mesh.faces.T, np.intp)
        self.neighbors = _opposite_faces(mesh)
        self.normals = np.ascontiguousarray(mesh.normals.T)
        self._low, high = mesh.bounds
        self._cell = max(float((high - self._low).max()) / CELLS, 1e-9)
        a, b, c = corners(mesh.vertices, mesh.faces)
        normal = cross(b - a, c - a)
        square = np.maximum(dot(normal, normal), 1e-30)
        self.origin = a.astype(np.float32)
        # The weight of a corner is linear in the plane of the face: these are its gradients.
        self.toward_b = (cross(c - a, normal) / square).astype(np.float32)
        self.toward_c = (cross(normal, b - a) / square).astype(np.float32)
        self._starts = self._table(mesh)

    def _table(self, mesh: Mesh) -> Ints:
        """(9, CELLS³) a face near each cell: of each octant one turned like it, or -1; then any."""
        side = CELLS
        of_vertex = np.zeros(len(mesh.vertices), np.int32)
        of_vertex[mesh.faces.ravel()] = np.arange(mesh.faces.size, dtype=np.int32) // 3
        cells = self._cells(np.ascontiguousarray(mesh.vertices.T))
        table = np.full((9, side**3), -1, np.int32)
        for octant in range(8):
            turned = np.flatnonzero(_direction(octant) @ self.normals > _ALONG)
            table[octant, cells.take(turned)] = of_vertex.take(turned)
            _grow(table[octant].reshape(side, side, side), _GROWN)
        table[8, cells] = of_vertex
        _grow(table[8].reshape(side, side, side), side)
        return table

    def _cells(self, points: Floats) -> Index:
        """The number of the cell of points (3, N)."""
        x, y, z = ((points - self._low[:, None]) / np.float32(self._cell)).astype(np.intp).clip(0, CELLS - 1)
        return np.asarray((x * CELLS + y) * CELLS + z)

    def nearest(self, points: Floats, turned: Floats) -> tuple[Index, Floats]:
        """The face (N,) that is nearest to each point, and the weights (3, N) of its corners there.

        Args:
            points: (N, 3). turned: (N, 3) unit vectors: how the surface is turned there, roughly, so that of
                two sheets the right one is taken.
        """
        faces = np.empty(len(points), np.intp)
        weights = np.empty((3, len(points)), np.float32)
        for begin in range(0, len(points), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            here, way = np.ascontiguousarray(points[part].T), turned[part].T
            cells = self._cells(here)
            octant = (way[0] > 0) * 4 + (way[1] > 0) * 2 + (way[2] > 0)
            start = self._starts.reshape(-1).take(octant * CELLS**3 + cells)
            lost = np.flatnonzero(start < 0)
            start[lost] = self._starts[8].take(cells.take(lost))
            faces[part], weights[:, part] = self._walk(here, start.astype(np.intp))
        return faces, weights

    def normals_near(self, points: Floats, turned: Floats) -> Floats:
        """The surface's unit normals (N, 3) at the points nearest to some; arguments as of :meth:`nearest`.
        ``turned`` itself where the nearest face looks the other way.
        """
        face, weights = self.nearest(points, turned)
        normal = np.zeros((3, len(face)), np.float32)
        for corner, weight in zip(self.faces, weights):
            normal += self.normals.take(corner.take(face), axis=1) * weight
        good = dot(normal, np.ascontiguousarray(turned.T)) > np.float32(1e-6)
        length = np.sqrt(dot(normal, normal))
        return np.where(good, normal / np.maximum(length, np.float32(1e-20)), turned.T).T

    def _walk(self, points: Floats, face: Index) -> tuple[Index, Floats]:
        """The face (N,) whose plane's nearest point lies in it, and the weights (3, N) of its corners."""
        before = np.full(len(face), -1, np.intp)
        active = np.arange(len(face))
        for _ in range(_STEPS):
            here = face.take(active)
            weights = self._weights(points.take(active, axis=1), here)
            out = np.flatnonzero(weights.min(axis=0) < -1e-4)
            here, active = here.take(out), active.take(out)
            # across the side that is opposite to the corner of least weight
            beyond = self.neighbors[here, weights.take(out, axis=1).argmin(axis=0)]
            going = np.flatnonzero((beyond >= 0) & (beyond != before.take(active)))
            active = active.take(going)
            if not len(active):
                break
            before[active] = here.take(going)
            face[active] = beyond.take(going)
        weights = self._weights(points, face).clip(0, 1)
        return face, weights / weights.sum(axis=0)

    def _weights(self, points: Floats, face: Index) -> Floats:
        away = points - self.origin.take(face, axis=1)
        b, c = dot(self.toward_b.take(face, axis=1), away), dot(self.toward_c.take(face, axis=1), away)
        return np.stack([1 - b - c, b, c])


def _opposite_faces(mesh: Mesh) -> Ints:
    """(F, 3) the face across the side opposite to each corner, or -1."""
    beyond = np.full(mesh.faces.size, -1, np.int32)
    welded = weld_groups(mesh.vertices).take(mesh.faces).astype(np.int32)
    one, two = face_links(welded, len(mesh.vertices))
    beyond[one], beyond[two] = two // 3, one // 3
    return beyond.reshape(-1, 3)[:, [1, 2, 0]]  # a half-edge bears the number of the corner it starts at


def _direction(octant: int) -> Floats:
    """The middle of an octant, of length 1."""
    signs = [1 if octant & bit else -1 for bit in (4, 2, 1)]
    return np.array(signs, np.float32) / np.float32(3**0.5)


def _grow(cells: Array, rings: int) -> None:
    """Empty cells (-1) of a cube take what a neighbour has, ring after ring, in place."""
    for _ in range(rings):
        if (cells >= 0).all():
            return
        full = cells.copy()
        for axis in range(3):
            for ahead, behind in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
                to = cells.swapaxes(0, axis)[ahead]
                source = full.swapaxes(0, axis)[behind]
                np.copyto(to, source, where=(to < 0) & (source >= 0))
