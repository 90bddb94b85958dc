"""A volume's grid as the input camera sees it: maps of the picture read at its vertices, and vertices
gathered to maps. numpy only.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from PIL import Image

from geco.photo.input_camera import InputCamera
from geco.photo.maps import enlarged
from geco.types import Bools, Floats, Index, Ints

# Pixels of the maps of the outline: finer than grids of so many cubes a side and of more can follow
COARSE, COARSE_CUBES, FINE = 192, 96, 384
SMOOTHED = 40  # own choice: turns in which continued depths are made level with their neighbours
LAYER = 0.3  # world units (the object is 1.9 across): what lies so much behind the front belongs to it


class GridView:
    """Every vertex of the volume's grid as the camera sees it in the picture; maps (S, S) are read at
    the nearest pixel of :data:`FINE`, which is as good as a bilinear sample.

    Attributes:
        size: S, pixels a side of the maps.
        depth, pixel: (P,) distance along the viewing axis and width of a map's pixel there, world units.
        distance: of the camera from the middle of the volume. pixel_at_middle: a pixel's width there.
        beyond: (P,) pixels outside the picture.
        cells: a side of the maps that vertices are gathered to: each has vertices at every depth.
    """

    def __init__(self, camera: InputCamera, half_extent: float, count: int) -> None:
        self.size = size = COARSE if count <= COARSE_CUBES + 1 else FINE
        pose = np.asarray(camera.c2w, np.float64)
        axis = np.linspace(-half_extent, half_extent, count)
        # A rigid motion of a grid is a sum of three axes, so nothing needs to be multiplied a vertex at a
        # time.
        parts = [
            (axis[:, None] * pose[k, :3] - pose[k, 3] * pose[k, :3]).astype(np.float32) for k in range(3)
        ]
        right, up, back = (
            (parts[0][:, None, None, k] + parts[1][None, :, None, k] + parts[2][None, None, :, k]).reshape(-1)
            for k in range(3)
        )
        self.depth = -back
        focal = np.float32(camera.scale * size * 0.5 / np.tan(np.radians(camera.fov / 2)))
        self.pixel = self.depth / focal
        self.distance = np.float32(np.linalg.norm(pose[:3, 3]))
        self.pixel_at_middle = self.distance / focal
        column = right / self.pixel + np.float32((0.5 + camera.offset[0]) * size - 0.5)
        row = np.float32((0.5 + camera.offset[1]) * size - 0.5) - up / self.pixel
        self._column, self._row = np.clip(column, 0, size - 1), np.clip(row, 0, size - 1)
        self.beyond = np.abs(column - self._column) + np.abs(row - self._row)
        last = FINE - 1
        self._place = (self._row * (last / (size - 1)) + 0.5).astype(np.int32) * FINE
        self._place += (self._column * (last / (size - 1)) + 0.5).astype(np.int32)
        cell = 2 * half_extent / (count - 1) / float(self.pixel_at_middle)
        self.cells = next((size // part for part in (2, 3, 4, 6) if part > 1.2 * cell), size // 8)

    def read(self, image: Floats) -> Floats:
        """(S, S) -> (P,)."""
        fine = image if len(image) == FINE else enlarged(image, FINE // len(image))
        return fine.reshape(-1)[self._place]

    def read_smooth(self, image: Floats) -> Floats:
        """:meth:`read` of a map without edges: the nearest pixel of its own will do."""
        if len(image) == FINE:
            return self.read(image)
        return image.reshape(-1)[self._coarse_place]

    @cached_property
    def _coarse_place(self) -> Ints:
        part = FINE // self.size
        row, column = np.divmod(self._place, FINE)
        return np.asarray(row // part * self.size + column // part)

    def nearest_layer(self, solid: Bools, shown: Bools, depth_inside: Floats, steepest: float) -> Floats:
        """(S, S) depth of the middle of what each ray meets first, level with its neighbours the more
        the less there is. Where the picture shows the object without any solid, it goes on as deep as at the
        nearest place of the same part: a leg hangs where the body begins it.

        Args:
            solid: (P,) vertices. shown: (S, S) where the picture shows the object.
            depth_inside: (S, S) how deep the ray passes through the solid, in such units that 1 is
                enough to believe it.
            steepest: depth over width, where less than enough is there; it keeps to the nearer of two depths.
        """
        some = np.flatnonzero(solid)
        if not len(some):
            return np.full((self.size, self.size), self.distance, np.float32)
        cell, depth, count = self._cell(some), self.depth[some], self.cells
        front = np.full(count * count, np.inf, np.float32)
        np.minimum.at(front, cell, depth)
        first = depth < front[cell] + LAYER
        number = np.bincount(cell[first], minlength=count * count)
        total = np.bincount(cell[first], depth[first], count * count)
        means = (total / np.maximum(number, 1)).astype(np.float32).reshape(count, count)
        part = self.size // count
        blocks = count, part, count, part
        within = np.asarray(shown.reshape(blocks).any(axis=(1, 3)))
        trust = np.clip(depth_inside.reshape(blocks).mean(axis=(1, 3)), 1e-3, 1)
        trust = trust * ((number > 0).reshape(count, count) & within)
        step = steepest * float(self.pixel_at_middle) * part
        return self.smooth(continued(means, trust, within, step))

    def highest(self, values: Floats, some: Index, floor: float) -> Floats:
        """(S, S) the highest value along each ray of vertices given by number, at least ``floor``."""
        cell = self._cell(some)
        order = np.argsort(values)
        found = np.full(self.cells * self.cells, floor, np.float32)
        found[cell[order]] = np.maximum(values[order], floor)  # of several to one place, the last stays
        return self.smooth(found.reshape(self.cells, self.cells))

    def _cell(self, some: Index) -> Index:
        part = self.cells / self.size
        rows, columns = ((at[some] * part).astype(np.intp) for at in (self._row, self._column))
        return np.asarray(rows * self.cells + columns)

    def smooth(self, values: Floats) -> Floats:
        """(cells, cells) -> (S, S)."""
        larger = Image.fromarray(values).resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(larger, np.float32)


def continued(values: Floats, trust: Floats, within: Bools, step: float) -> Floats:
    """Values (C, C) made level with their neighbours in the region ``within``, those with a ``trust`` of 1
    left as they are and those with 0 not looked at; those with less than 1 are above none of their neighbours
    by more than ``step``. Beyond the region, and where no way leads, from the mean of ever larger blocks.
    """
    reached = trust > 0
    found, loose = np.where(reached, values, 0), trust < 1
    while True:
        count = _around(reached.astype(np.float32))
        fresh = within & ~reached & (count > 0)
        if not fresh.any():
            break
        found = np.where(fresh, _around(found) / np.maximum(count, 1), found)
        reached |= fresh
    hold = (trust * trust / np.maximum(1 - trust, 1e-3)).astype(np.float32)
    weight = np.maximum(_around(reached.astype(np.float32)) + hold, 1e-3)
    loose &= reached
    for _ in range(SMOOTHED):
        found = np.where(loose, (_around(found) + hold * values) / weight, found)
    for _ in range(SMOOTHED):
        lowest = np.where(reached, found, np.inf)
        for axis in (0, 1):
            padded = np.pad(lowest, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], constant_values=np.inf)
            before, after = (np.take(padded, np.arange(len(values)) + move, axis) for move in (0, 2))
            lowest = np.minimum(lowest, np.minimum(before, after) + step)
        found = np.where(loose, lowest, found)
    return spread(found.astype(np.float32), reached.astype(np.float32))


def _around(values: Floats) -> Floats:
    """The sum of the four neighbours; nothing lies beyond the border."""
    total = np.zeros_like(values)
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    return total


def spread(values: Floats, weight: Floats) -> Floats:
    """Unknown values (weight 0) from the mean of ever larger blocks around them."""
    if len(values) == 1 or len(values) % 2 or (weight > 0).all():
        mean = (values * weight).sum() / max(float(weight.sum()), 1e-9)
        return np.where(weight > 0, values, np.float32(mean))
    blocks = (len(values) // 2, 2, len(values) // 2, 2)
    heavy = weight.reshape(blocks).sum(axis=(1, 3))
    coarse = (values * weight).reshape(blocks).sum(axis=(1, 3)) / np.maximum(heavy, 1e-9)
    fine = spread(coarse.astype(np.float32), (heavy > 0).astype(np.float32)).repeat(2, 0).repeat(2, 1)
    return np.where(weight > 0, values, fine)
