"""A volume's grid as the input camera sees it: maps of the picture read at its vertices, and vertices
gathered to maps. numpy only.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from geco.cameras import INPUT_RADIUS
from geco.photo.input_camera import InputCamera
from geco.photo.maps import enlarged
from geco.types import Bools, Floats, Index

SIZE = 192  # pixels of the maps of the outline: finer than a grid of 128 cells can follow
FINE = 2  # maps are enlarged so much, so that the nearest pixel of one is as good as a bilinear sample
SMOOTHED = 40  # own choice: turns in which continued depths are made level with their neighbours


class GridView:
    """Every vertex of the volume's grid as the camera sees it in the picture; maps (SIZE, SIZE) are read at
    the nearest fine pixel.

    Attributes:
        depth, pixel: (P,) distance along the viewing axis and width of a map's pixel there, world units.
        pixel_at_middle: the same width where the object is.
        beyond: (P,) pixels outside the picture.
        cells: a side of the maps that vertices are gathered to: each has vertices at every depth.
    """

    def __init__(self, camera: InputCamera, half_extent: float, count: int) -> None:
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
        focal = np.float32(camera.scale * SIZE * 0.5 / np.tan(np.radians(camera.fov / 2)))
        self.pixel = self.depth / focal
        self.pixel_at_middle = np.float32(INPUT_RADIUS) / focal
        column = right / self.pixel + np.float32((0.5 + camera.offset[0]) * SIZE - 0.5)
        row = np.float32((0.5 + camera.offset[1]) * SIZE - 0.5) - up / self.pixel
        self._column, self._row = np.clip(column, 0, SIZE - 1), np.clip(row, 0, SIZE - 1)
        self.beyond = np.abs(column - self._column) + np.abs(row - self._row)
        last = SIZE * FINE - 1
        self._place = (self._row * (last / (SIZE - 1)) + 0.5).astype(np.int32) * (last + 1)
        self._place += (self._column * (last / (SIZE - 1)) + 0.5).astype(np.int32)
        cell = 2 * half_extent / (count - 1) / float(self.pixel_at_middle)
        self.cells = next((SIZE // part for part in (2, 3, 4, 6) if part > 1.2 * cell), SIZE // 8)

    def read(self, image: Floats) -> Floats:
        """(SIZE, SIZE) -> (P,)."""
        return enlarged(image, FINE).reshape(-1)[self._place]

    def middle_depth(self, solid: Bools, shown: Bools) -> Floats:
        """(SIZE, SIZE) mean depth of the solid along each ray. Where the picture shows the object without any
        solid, it goes on as deep as at the nearest place of the same part: a leg hangs where the body begins
        it.

        Args:
            solid: (P,) vertices. shown: (SIZE, SIZE) where the picture shows the object.
        """
        cell, count = self._cell(np.flatnonzero(solid)), self.cells
        number = np.bincount(cell, minlength=count * count).astype(np.float32).reshape(count, count)
        total = np.bincount(cell, self.depth[solid], count * count).astype(np.float32).reshape(count, count)
        part = SIZE // count
        within = np.asarray(shown.reshape(count, part, count, part).any(axis=(1, 3)))
        known = (number > 0) & within
        depth = continued(np.where(known, total / np.maximum(number, 1), 0).astype(np.float32), known, within)
        return self.smooth(depth)

    def highest(self, values: Floats, some: Index, floor: float) -> Floats:
        """(SIZE, SIZE) the highest value along each ray of vertices given by number, at least ``floor``."""
        cell = self._cell(some)
        order = np.argsort(values)
        found = np.full(self.cells * self.cells, floor, np.float32)
        found[cell[order]] = np.maximum(values[order], floor)  # of several to one place, the last stays
        return self.smooth(found.reshape(self.cells, self.cells))

    def _cell(self, some: Index) -> Index:
        part = self.cells / SIZE
        rows, columns = ((at[some] * part).astype(np.intp) for at in (self._row, self._column))
        return np.asarray(rows * self.cells + columns)

    @staticmethod
    def smooth(values: Floats) -> Floats:
        """(cells, cells) -> (SIZE, SIZE)."""
        larger = Image.fromarray(values).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        return np.asarray(larger, np.float32)


def continued(values: Floats, known: Bools, within: Bools) -> Floats:
    """Known values (C, C) continued through the region ``within`` from neighbour to neighbour, and smoothed
    there; beyond it, and where no way leads, from the mean of ever larger blocks.
    """
    values, reached = values * known, known.copy()
    while True:
        count = _around(reached.astype(np.float32))
        fresh = within & ~reached & (count > 0)
        if not fresh.any():
            break
        values = np.where(fresh, _around(values) / np.maximum(count, 1), values)
        reached |= fresh
    loose = reached & ~known
    weight = np.maximum(_around(reached.astype(np.float32)), 1)
    for _ in range(SMOOTHED):
        values = np.where(loose, _around(values) / weight, values)
    return spread(values.astype(np.float32), reached.astype(np.float32))


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
