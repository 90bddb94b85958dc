"""Which triangle every pixel sees: a z-buffer in vectorised numpy, for meshes of many small triangles.

The runs of pixels of all triangles (:mod:`geco.mesh.cover`) fill the z-buffer at once. Pixel (row, column)
has its centre at (column + 0.5, row + 0.5).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geco.cameras import intrinsics
from geco.errors import ConfigError
from geco.mesh.cover import covered_runs
from geco.mesh.topology import expand
from geco.render.fragments import Fragments
from geco.types import Doubles, Index

Engine = Literal["numpy", "numba", "auto"]

# triangles with a corner nearer to the camera plane than this are left out (nothing is clipped)
NEAREST = 1e-3


@dataclass(frozen=True)
class Window:
    """A picture stretched about its centre, then moved by ``offset`` (right, down) in parts of its size."""

    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)


def rasterize(
    vertices: ArrayLike,
    faces: NDArray[np.integer],
    c2w: ArrayLike,
    fov: float,
    size: int,
    window: Window | None = None,
    engine: Engine = "numpy",
) -> Fragments:
    """Draw a mesh into a square z-buffer.

    Args:
        vertices: (V, 3) world units.
        faces: (F, 3) vertex numbers.
        c2w: (4, 4) camera-to-world.
        fov: degrees.
        size: pixels a side.
        window: what of the camera's picture is seen; all of it by default.
        engine: "numba" is about five times as fast after a second of import; "auto" takes it where it is
            loaded already.

    Where two triangles lie equally deep, the one of lower number wins.
    """
    if engine not in ("numpy", "numba", "auto"):
        raise ConfigError(f"unknown rasteriser engine {engine!r}", "Use numpy, numba or auto.")
    pixels, inverse_depth = project_to_pixels(vertices, c2w, fov, size, window)
    corners = np.ascontiguousarray(faces)
    if engine == "numba" or (engine == "auto" and "numba" in sys.modules):
        from geco.render.zbuffer_numba import fill

        return fill(pixels, inverse_depth, corners, size)
    return _fill(pixels, inverse_depth, corners, size)


def project_to_pixels(
    vertices: ArrayLike, c2w: ArrayLike, fov: float, size: int, window: Window | None = None
) -> tuple[Doubles, Doubles]:
    """Positions (2, V) as (column, row), whole numbers at pixel centres, and 1 / depth (V,), 0
    where not in front.
    """
    pose, window = np.asarray(c2w, np.float64), window or Window()
    x, y, away = np.ascontiguousarray(((np.asarray(vertices, np.float64) - pose[:3, 3]) @ pose[:3, :3]).T)
    depth = -away
    inverse = np.zeros_like(depth)
    np.divide(1.0, depth, out=inverse, where=depth > NEAREST)
    focal = window.scale * intrinsics(fov)[0, 0] * size
    pixels = np.empty((2, len(depth)))
    pixels[0] = focal * x * inverse + ((0.5 + window.offset[0]) * size - 0.5)
    pixels[1] = ((0.5 + window.offset[1]) * size - 0.5) - focal * y * inverse
    return pixels, inverse


def _fill(pixels: Doubles, inverse_depth: Doubles, faces: NDArray[np.integer], size: int) -> Fragments:
    number, rows, columns = covered_pixels(pixels, inverse_depth, faces, size)
    used, local = _compact(number, len(faces))
    corners = np.ascontiguousarray(
        faces.take(used, axis=0).T, np.intp
    )  # (3, K) of the faces that cover something
    planes = _planes(pixels[0].take(corners), pixels[1].take(corners))
    inverse = inverse_depth.take(corners)
    ramps = np.einsum("kf,kcf->cf", inverse, planes)  # 1 / depth = ramps[0] + ramps[1] column + ramps[2] row
    nearness = ramps[0].take(local) + ramps[1].take(local) * columns + ramps[2].take(local) * rows
    target = rows * size + columns

    buffer = np.zeros(size * size)
    np.maximum.at(buffer, target, nearness)
    # backwards: the lowest number is written last
    won = np.flatnonzero(nearness == buffer.take(target))[::-1]
    winner = np.full(size * size, -1, np.intp)
    winner[target.take(won)] = local.take(won)

    seen = np.flatnonzero(winner >= 0)
    local = winner.take(seen)
    row, column = np.divmod(seen, size)
    flat = np.stack([p[0].take(local) + p[1].take(local) * column + p[2].take(local) * row for p in planes])
    flat = np.clip(flat, 0.0, 1.0)
    weights = flat * inverse.take(local, axis=1)
    total = weights[0] + weights[1] + weights[2]
    face_ids = np.full(size * size, -1, np.int32)
    face_ids[seen] = used.take(local)
    barycentrics = np.zeros((size * size, 3), np.float32)
    barycentrics[seen] = (weights / total).T
    depth = np.full(size * size, np.inf, np.float32)
    depth[seen] = (flat[0] + flat[1] + flat[2]) / total
    return Fragments(
        face_ids.reshape(size, size), barycentrics.reshape(size, size, 3), depth.reshape(size, size)
    )


def covered_pixels(
    pixels: Doubles, inverse_depth: Doubles, faces: NDArray[np.integer], size: int
) -> tuple[Index, Index, Index]:
    """Every covered (face, row, column), hidden ones too, sorted by face."""
    columns, rows = pixels
    corners = np.ascontiguousarray(faces.T, np.intp)
    a, b, c = (rows.take(corner) for corner in corners)
    low, high = np.ceil(np.minimum(np.minimum(a, b), c)), np.ceil(np.maximum(np.maximum(a, b), c))
    # some row of pixels meets the triangle, and all of it lies before the camera
    visible = np.minimum(high, size) > np.maximum(low, 0)
    if not (inverse_depth > 0).all():
        for corner in corners:
            visible &= inverse_depth.take(corner) > 0
    number = np.flatnonzero(visible)
    x = [columns.take(corner.take(number)) for corner in corners]
    runs = covered_runs(x, [row.take(number) for row in (a, b, c)], size)
    run, along = expand(runs.length)
    return number.take(runs.face).take(run), runs.row.take(run), runs.start.take(run) + along


def _compact(number: Index, count: int) -> tuple[Index, Index]:
    """The distinct values of a sorted array and, for each entry, its place among them."""
    new = np.diff(number, prepend=-1) != 0
    return number[new], np.cumsum(new) - 1


def _planes(x: Doubles, y: Doubles) -> Doubles:
    """(3 corners, 3, K): screen barycentric k = planes[k, 0] + planes[k, 1] column + planes[k, 2]
    row; (3, K) corners.
    """
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    inverse = np.zeros_like(area)
    np.divide(1.0, area, out=inverse, where=area != 0)
    planes = np.empty((3, 3, x.shape[1]))
    for k in (1, 2):
        i, j = (2, 0) if k == 1 else (0, 1)
        planes[k, 1] = (y[i] - y[j]) * inverse
        planes[k, 2] = (x[j] - x[i]) * inverse
        planes[k, 0] = -(planes[k, 1] * x[0] + planes[k, 2] * y[0])
    planes[0] = -planes[1] - planes[2]
    planes[0, 0] += 1.0
    return planes
