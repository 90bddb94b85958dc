"""Which triangle every pixel sees: a z-buffer in vectorised numpy, for meshes of many small triangles.

Triangles become rows, rows become runs of pixels, and the runs of all triangles fill the z-buffer at once.
The ends of a run are computed from the edge alone, in the same way for both triangles that share it, so
neighbours cover every pixel centre exactly once: no holes, no doubles. Pixel (row, column) has its centre at
(column + 0.5, row + 0.5).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geco.cameras import intrinsics
from geco.errors import ConfigError
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
    local = (np.asarray(vertices, np.float64) - pose[:3, 3]) @ pose[:3, :3]
    depth = -local[:, 2]
    inverse = np.zeros_like(depth)
    np.divide(1.0, depth, out=inverse, where=depth > NEAREST)
    focal = window.scale * intrinsics(fov)[0, 0] * size
    pixels = np.empty((2, len(local)))
    pixels[0] = focal * local[:, 0] * inverse + ((0.5 + window.offset[0]) * size - 0.5)
    pixels[1] = ((0.5 + window.offset[1]) * size - 0.5) - focal * local[:, 1] * inverse
    return pixels, inverse


def _fill(pixels: Doubles, inverse_depth: Doubles, faces: NDArray[np.integer], size: int) -> Fragments:
    number, rows, columns = covered_pixels(pixels, inverse_depth, faces, size)
    used, local = _compact(number, len(faces))
    corners = faces[used].T.astype(np.intp)  # (3, K) of the faces that cover something
    planes = _planes(pixels[0][corners], pixels[1][corners])
    inverse = inverse_depth[corners]
    ramps = np.einsum("kf,kcf->cf", inverse, planes)  # 1 / depth = ramps[0] + ramps[1] column + ramps[2] row
    nearness = ramps[0, local] + ramps[1, local] * columns + ramps[2, local] * rows
    target = rows * size + columns

    buffer = np.zeros(size * size)
    np.maximum.at(buffer, target, nearness)
    won = np.flatnonzero(nearness == buffer[target])[::-1]  # backwards: the lowest number is written last
    winner = np.full(size * size, -1, np.intp)
    winner[target[won]] = local[won]

    seen = np.flatnonzero(winner >= 0)
    local = winner[seen]
    flat = planes[:, 0, local] + planes[:, 1, local] * (seen % size) + planes[:, 2, local] * (seen // size)
    weights = np.clip(flat, 0.0, 1.0) * inverse[:, local]
    total = weights.sum(axis=0)
    face_ids = np.full(size * size, -1, np.int32)
    face_ids[seen] = used[local]
    barycentrics = np.zeros((size * size, 3), np.float32)
    barycentrics[seen] = (weights / total).T
    depth = np.full(size * size, np.inf, np.float32)
    depth[seen] = np.clip(flat, 0.0, 1.0).sum(axis=0) / total
    return Fragments(
        face_ids.reshape(size, size), barycentrics.reshape(size, size, 3), depth.reshape(size, size)
    )


def covered_pixels(
    pixels: Doubles, inverse_depth: Doubles, faces: NDArray[np.integer], size: int
) -> tuple[Index, Index, Index]:
    """Every covered (face, row, column), hidden ones too, sorted by face."""
    columns, rows = pixels
    a, b, c = (faces[:, i].astype(np.intp) for i in range(3))
    first_row, past_row = _whole_rows(rows[a], rows[b], rows[c], size)
    visible = (
        (past_row > first_row) & (inverse_depth[a] > 0) & (inverse_depth[b] > 0) & (inverse_depth[c] > 0)
    )
    number = np.flatnonzero(visible)
    a, b, c = (corner[number] for corner in (a, b, c))
    a, b = np.where(rows[b] < rows[a], b, a), np.where(rows[b] < rows[a], a, b)
    b, c = np.where(rows[c] < rows[b], c, b), np.where(rows[c] < rows[b], b, c)
    a, b = np.where(rows[b] < rows[a], b, a), np.where(rows[b] < rows[a], a, b)  # now from top to bottom

    face, row = _expand(first_row[number], past_row[number])
    long = _edge_column(columns, rows, a[face], c[face], row)
    upper = row < rows[b[face]]
    short = _edge_column(
        columns, rows, np.where(upper, a[face], b[face]), np.where(upper, b[face], c[face]), row
    )
    first = np.clip(np.ceil(np.minimum(long, short)), 0, size).astype(np.intp)
    past = np.clip(np.ceil(np.maximum(long, short)), 0, size).astype(np.intp)
    run, column = _expand(first, past)
    return number[face[run]], row[run], column


def _whole_rows(a: Doubles, b: Doubles, c: Doubles, size: int) -> tuple[Index, Index]:
    """First row and one past the last row whose centre line a triangle meets, inside the picture."""
    low = np.ceil(np.minimum(np.minimum(a, b), c))
    high = np.ceil(np.maximum(np.maximum(a, b), c))
    return np.clip(low, 0, size).astype(np.intp), np.clip(high, 0, size).astype(np.intp)


def _edge_column(columns: Doubles, rows: Doubles, top: Index, bottom: Index, row: Index) -> Doubles:
    """Where edges cross rows; always computed from the upper end, so both faces of an edge get
    the same bits.
    """
    y = rows[top]
    x = columns[top]
    return x + (row - y) * ((columns[bottom] - x) / (rows[bottom] - y))


def _expand(first: Index, past: Index) -> tuple[Index, Index]:
    """All numbers first[i] <= n < past[i] as two arrays: which i, and n."""
    count = past - first
    owner = np.repeat(np.arange(len(count)), count)
    begin = np.cumsum(count) - count
    return owner, np.arange(len(owner)) + np.repeat(first - begin, count)


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
