"""A texture larger than the fields have detail for: baked small, enlarged, and the picture laid on at its own
size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from geco.images.color import to_bytes
from geco.images.detail import Detail
from geco.mesh.cover import Runs, covered_runs
from geco.mesh.topology import cross, dot, expand
from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster, texel_corners
from geco.photo.input_camera import InputCamera
from geco.photo.projection import homogeneous
from geco.types import Bools, Bytes, Doubles, Floats, Index

# Texels a side that fields are asked for, the largest size that is baked texel by texel. The lattice of the
# small model's colours has 64 cells a side, a tenth of it; that of the full family is taught at 512.
BAKED = 1024
# Pixels of the picture's square a texel of the texture's side, as 384 pixels for 512 texels.
PICTURED = 0.75
_BLOCK = 1 << 18  # texels at a time


def enlarged(texture: Bytes, size: int) -> Bytes:
    """A square texture, (S, S) or (S, S, 3) uint8, with ``size`` texels a side, bicubic.

    Charts must lie two texels apart in the small one and its empty texels repeat their neighbours, as of
    :func:`geco.mesh.bake.bake`: then nothing of another chart reaches a covered texel.
    """
    return np.asarray(Image.fromarray(texture).resize((size, size), Image.Resampling.BICUBIC))


def project_large(
    mesh: Mesh,
    raster: UVRaster,
    shown: tuple[Index, Floats],
    detail: Detail,
    size: int,
    camera: InputCamera,
) -> Mesh:
    """A copy of the mesh with a texture of ``size`` texels a side on which the picture is laid.

    Args:
        mesh: with uvs and the small texture.
        raster: of :func:`geco.mesh.bake.rasterize_uv`, of the small texture.
        shown: texels of it that show the picture and its share in each
            (:func:`geco.photo.projection.shown_texels`).
        detail: the picture with the pixels that it was given with.
        size: texels a side of the new texture.
        camera: that took the picture.
    """
    assert mesh.texture is not None
    texture = enlarged(mesh.texture, size).copy()
    weight = enlarged(_spread(raster, *shown), size).reshape(-1)
    flat = texture.reshape(-1, 3)
    painted, covered = (np.zeros(size * size, bool) for _ in range(2))
    for texels, places, used in _texels_facing(mesh, camera, weight, size):
        covered[texels] = True
        texels = texels.take(used)
        painted[texels] = True
        found = detail.at(*places)
        flat[texels] = _blended(flat.take(texels, axis=0), found, weight.take(texels) * np.float32(1 / 255))
    _spread_rings(flat, painted, covered, size, size // raster.size)
    return mesh.with_(texture=texture)


def _spread(raster: UVRaster, texels: Index, share: Floats) -> Bytes:
    """(S, S) shares in 0 to 255, those at the charts' borders repeated beyond them."""
    small = np.zeros(raster.size * raster.size, np.uint8)
    small[texels] = to_bytes(share)
    empty, sources = raster.filling
    small[empty] = small.take(sources)
    return small.reshape(raster.size, raster.size)


def _texels_facing(
    mesh: Mesh, camera: InputCamera, weight: Bytes, size: int
) -> Iterator[tuple[Index, Floats, Index]]:
    """Block by block the texels (N,) of the faces that are turned towards the camera; the places (2, M) in
    the picture's square of those with a weight; and which of the texels (M,) these are.
    """
    a, b, c = (np.ascontiguousarray(corner.T) for corner in mesh.triangles.transpose(1, 0, 2))
    turned = dot(cross(b - a, c - a), camera.c2w[:3, 3, None] - a) > 0
    front = mesh.with_(faces=mesh.faces.compress(turned, axis=0))
    x, y = texel_corners(front, size)
    runs = covered_runs(x, y, size)
    first, step = _along_runs(front, homogeneous(mesh, camera, 1), x, y, runs)
    ends = np.cumsum(runs.length)
    start = runs.row * size + runs.start
    for part in np.split(np.arange(len(ends)), np.searchsorted(ends, np.arange(_BLOCK, ends[-1], _BLOCK))):
        run, along = expand(runs.length[part])
        run += part[0] if len(part) else 0
        texels = start.take(run) + along
        used = np.flatnonzero(weight.take(texels))
        run, along = run.take(used), along.take(used).astype(np.float32)
        column, row, away = (begin.take(run) + along * slope.take(run) for begin, slope in zip(first, step))
        yield texels, np.stack([column, row]) / away + np.float32(0.5), used


def _along_runs(
    mesh: Mesh, values: Floats, x: list[Doubles], y: list[Doubles], runs: Runs
) -> tuple[Floats, Floats]:
    """Vertex values (V, C), linear in each face: (C, R) at the first texel of each run, and (C, R) their
    change by a column.
    """
    (ax, bx, cx), (ay, by, cy) = x, y
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    inverse = np.divide(1.0, double, out=np.zeros_like(double), where=double != 0)
    a, b, c = (values.T.astype(np.float64).take(corner, axis=1) for corner in mesh.faces.T)
    across = ((b - a) * (cy - ay) - (c - a) * (by - ay)) * inverse
    down = ((c - a) * (bx - ax) - (b - a) * (cx - ax)) * inverse
    face = runs.face
    dx, dy = runs.start - ax.take(face), runs.row - ay.take(face)
    first = a.take(face, axis=1) + across.take(face, axis=1) * dx + down.take(face, axis=1) * dy
    return first.astype(np.float32), across.take(face, axis=1).astype(np.float32)


def _blended(before: Bytes, found: Floats, share: Floats) -> Bytes:
    """(N, 3) texels with a share (N,) of the colours (3, N)."""
    old = before.T.astype(np.float32)
    found *= np.float32(255)
    found -= old
    found *= share
    old += found
    old += np.float32(0.5)
    return np.ascontiguousarray(old.astype(np.uint8).T)


def _spread_rings(flat: Bytes, painted: Bools, covered: Bools, size: int, rings: int) -> None:
    """Repeat the painted texels (S²,) of ``flat`` (S², 3) in the rings around them where there is no face."""
    for _ in range(rings):
        image = painted.reshape(size, size)
        near = np.zeros_like(image)
        near[1:] |= image[:-1]
        near[:-1] |= image[1:]
        near[:, 1:] |= image[:, :-1]
        near[:, :-1] |= image[:, 1:]
        near &= ~(image | covered.reshape(size, size))
        cells = np.flatnonzero(near)
        source = np.zeros_like(cells)
        for step in (-1, 1, -size, size):
            beside = (cells + step).clip(0, len(flat) - 1)
            source = np.where(painted.take(beside), beside, source)
        flat[cells] = flat.take(source, axis=0)
        painted[cells] = True
