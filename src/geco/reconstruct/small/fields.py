"""The small reconstructor's fields for one object: a grid asked only near the surface, colours
asked on a lattice. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.grids import grid_from_volume
from geco.reconstruct.fields import no_object
from geco.types import Bools, Doubles, Floats, Index, Ints

CHUNK = 1 << 10  # points a call: what is made of the samples of six views stays in the cache
# The coarse field is corrected by the fine one where it says less than this (world units, a third of a voxel
# of 24). On the evaluation objects (8 looked at, true and generated views, a 40^3 grid) no point beyond it
# had another sign in the fine field.
BAND = 0.03
# cells a side of the colour lattice: a cell is about a pixel of a 64 px view (2.14 / 64 world units)
LATTICE = 64
DIRECT = 20_000  # so few points are asked themselves
BLOCK = 1 << 14  # points mixed at a time: what is computed of them stays in the cache


class SmallFields:
    """A :class:`geco.reconstruct.fields.SurfaceFields`.

    Args:
        coarse: (R, R, R) signed distance at voxel centres, axes z, y, x.
        shape: (N, 3) -> (N,) signed distance. color: (N, 3) -> (N, 3) in [0, 1].
        half_extent: of the volume, world units.
        workers: threads that ask for points at a time; 1 where a call has threads of its own.
    """

    def __init__(
        self,
        coarse: Floats,
        shape: Callable[[Floats], Floats],
        color: Callable[[Floats], Floats],
        half_extent: float,
        workers: int = 1,
    ) -> None:
        self.coarse, self.shape, self._color = coarse, shape, color
        self._half_extent, self._workers = half_extent, workers

    @property
    def half_extent(self) -> float:
        return self._half_extent

    def grid(self, resolution: int) -> FlexiGrid:
        """The cubes that the surface crosses: the coarse field everywhere, the fine one in a band about its
        surface.

        Raises MeshError when nothing is inside.
        """
        volume = self.dense(resolution)
        if not (volume < 0).any():
            raise no_object()
        return grid_from_volume(volume, self._half_extent)

    def dense(self, resolution: int, near: Floats | None = None) -> Floats:
        """(R + 1, R + 1, R + 1) signed distance on the grid's vertices, indexed [x, y, z];
        positive all over the border.

        Args:
            near: what this gave for another resolution: only its surface is asked again.
        """
        if near is None:
            weights, start = upsampling(len(self.coarse), resolution), self.coarse.transpose(2, 1, 0)
        else:
            weights, start = between(len(near) - 1, resolution), near
        volume = np.tensordot(weights, start, axes=(1, 0))
        volume = np.matmul(weights, volume)  # along y
        volume = np.ascontiguousarray(np.matmul(volume, weights.T), np.float32)  # along z
        axis = np.linspace(-self._half_extent, self._half_extent, resolution + 1, dtype=np.float32)
        asked = np.zeros(volume.shape, bool)
        wanted = np.flatnonzero(np.abs(volume) < BAND if near is None else crossing_ends(volume < 0))
        first = True
        while len(wanted):
            places = np.stack(np.unravel_index(wanted, volume.shape), axis=1)
            volume.reshape(-1)[wanted] = in_chunks(self.shape, axis[places], self._workers)
            asked.reshape(-1)[wanted] = True
            # A vertex lies between two samples of different sign: both must be of the fine field. After the
            # first look signs change only where it was asked.
            if first and near is None:
                wanted = np.flatnonzero(crossing_ends(volume < 0) & ~asked)
            else:
                wanted = other_ends(volume, asked, wanted, places)
            first = False
        for border in (volume[0], volume[-1], volume[:, 0], volume[:, -1], volume[:, :, 0], volume[:, :, -1]):
            np.maximum(border, 1e-3, out=border)  # the mesh must not be open there
        return volume

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]. Many points are interpolated on a lattice
        as fine as the views' pixels.
        """
        if len(points) <= DIRECT:
            return in_chunks(self._color, np.ascontiguousarray(points, np.float32), self._workers)
        return between_lattice_points(
            lambda asked: in_chunks(self._color, asked, self._workers), points, self._half_extent, LATTICE
        )


def between_lattice_points(
    ask: Callable[[Floats], Floats], points: Floats, half_extent: float, cells: int
) -> Floats:
    """Three numbers a point (N, 3) -> (N, 3), which ``ask`` is asked for on the corners of those of ``cells``
    cells a side that hold points, and mixed between them.
    """
    place = (points / half_extent + 1).astype(np.float32) * np.float32(0.5 * cells)
    np.clip(place, 0, cells - 1e-3, out=place)
    corner = place.astype(np.intp)
    part = (place - corner).astype(np.float32)
    side = cells + 1
    first = (corner[:, 0] * side + corner[:, 1]) * side + corner[:, 2]
    steps = [(x * side + y) * side + z for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    used = np.zeros(side**3, bool)
    used[first] = True
    start = np.flatnonzero(used)
    for step in steps[1:]:
        used[start + step] = True
    lattice = np.flatnonzero(used)
    number = np.empty(side**3, np.int32)
    number[lattice] = np.arange(len(lattice), dtype=np.int32)
    where = np.stack(np.unravel_index(lattice, (side,) * 3), axis=1).astype(np.float32)
    asked = where * np.float32(2 * half_extent / cells) - np.float32(half_extent)
    known = ask(asked)
    channels = np.ascontiguousarray(known.T)
    out = np.empty((len(points), 3), np.float32)
    for begin in range(0, len(points), BLOCK):
        block = slice(begin, begin + BLOCK)
        out[block] = _mixed(channels, number, first[block], np.ascontiguousarray(part[block].T), steps).T
    return out


def _mixed(channels: Floats, number: Ints, first: Ints, part: Floats, steps: list[int]) -> Floats:
    """(3, N) colours between the eight corners of lattice cells: ``first`` their first corners and ``part``
    (3, N) the places within; ``channels`` (3, L) of the lattice's used vertices by their ``number``.
    """
    sides = (1 - part, part)
    total = np.zeros((3, len(first)), np.float32)
    for index, step in enumerate(steps):
        weight = sides[index >> 2][0] * sides[index >> 1 & 1][1] * sides[index & 1][2]
        place = number.take(first + step).astype(np.intp)
        for channel, known in zip(total, channels):
            channel += weight * known.take(place)
    return total


def crossing_ends(inside: Bools) -> Bools:
    """Which grid vertices have a neighbour along an axis on the other side of the surface."""
    ends = np.zeros_like(inside)
    for axis in range(3):
        lower, upper = (
            tuple(part if k == axis else slice(None) for k in range(3))
            for part in (slice(None, -1), slice(1, None))
        )
        change = inside[lower] != inside[upper]
        ends[lower] |= change
        ends[upper] |= change
    return ends


def other_ends(volume: Floats, asked: Bools, some: Index, places: Index) -> Index:
    """Numbers of the vertices beside those numbered ``some``, at ``places`` (N, 3), that lie on the other
    side of the surface and were not ``asked``.
    """
    values, known = volume.reshape(-1), asked.reshape(-1)
    inside = values[some] < 0
    found = []
    for along, count, step in zip(places.T, volume.shape, np.cumprod((1, *volume.shape[:0:-1]))[::-1]):
        for beyond, move in ((0, -step), (count - 1, step)):
            at = np.flatnonzero(along != beyond)
            beside = some[at] + move
            found.append(beside[(values[beside] < 0) != inside[at]])
    beside = np.unique(np.concatenate(found))
    return beside[~known[beside]]


def upsampling(voxels: int, resolution: int) -> Floats:
    """(resolution + 1, voxels) linear interpolation from voxel centres to grid vertices along one
    axis, ends repeated.
    """
    return _linear(np.clip(np.arange(resolution + 1) * (voxels / resolution) - 0.5, 0, voxels - 1), voxels)


def between(cubes: int, resolution: int) -> Floats:
    """(resolution + 1, cubes + 1) linear interpolation from the vertices of one grid to those of another
    along one axis.
    """
    return _linear(np.linspace(0, cubes, resolution + 1), cubes + 1)


def _linear(place: Doubles, count: int) -> Floats:
    """(N, count) the weights of ``count`` numbers at places (N,) between them."""
    below = np.minimum(place.astype(int), count - 2)
    weights = np.zeros((len(place), count), np.float32)
    rows = np.arange(len(place))
    weights[rows, below] = 1 - (place - below)
    weights[rows, below + 1] = place - below
    return weights


def in_chunks(field: Callable[[Floats], Floats], points: Floats, workers: int = 1) -> Floats:
    """A field at many points, a bounded number a call, and so many calls at a time."""
    if not len(points):
        return field(np.zeros((1, 3), np.float32))[:0]
    parts = [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]
    if workers == 1 or len(parts) == 1:
        return np.concatenate([field(part) for part in parts])
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(field, parts)))
