"""Meshes and cameras with known pictures."""

from __future__ import annotations

import numpy as np

from geco.cameras import orbit_poses
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume, voxel_grid
from geco.types import Floats, Ints

FOV = 30.0
RADIUS = 4.0
FRONT = orbit_poses(0.0, 0.0, RADIUS)  # on +x: image right is +y, image up is +z


def focal(size: int) -> float:
    """Focal length in pixels."""
    return float(0.5 / np.tan(np.radians(FOV) / 2) * size)


def square(x: float, low: tuple[float, float], high: tuple[float, float]) -> tuple[Floats, Ints]:
    """A rectangle in the plane x, from (y, z) low to high, facing +x."""
    corners = [[x, low[0], low[1]], [x, high[0], low[1]], [x, high[0], high[1]], [x, low[0], high[1]]]
    return np.array(corners, np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def ball(radius: float = 0.7, resolution: int = 32) -> tuple[Floats, Ints]:
    """A closed sphere about a point off the grid's symmetry (exact zeros of the field make
    degenerate faces).
    """
    centre = np.array([0.013, -0.021, 0.017], np.float32)
    points = voxel_grid(resolution, rounded=False)[0] * np.float32(2)
    volume = np.linalg.norm(points - centre, axis=1) - radius
    return extract(grid_from_volume(volume.reshape((resolution + 1,) * 3), 1.0))


def soup(seed: int, count: int, spread: float) -> tuple[Floats, Ints]:
    """Triangles of every size, some of them needles, some outside the picture."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-1.3, 1.3, (count, 1, 3))
    sizes = spread * 10 ** rng.uniform(-2, 0, (count, 1, 1))
    corners = centres + rng.normal(size=(count, 3, 3)) * sizes * 10 ** rng.uniform(-2, 0, (count, 1, 3))
    return corners.reshape(-1, 3).astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
