"""A surface as points spread evenly over it: what a camera is searched with, a millisecond a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import areas
from geco.mesh.types import Mesh
from geco.types import Floats, Index

COUNT = 40_000  # own choice: six a pixel for an object that fills half of a picture of 96
# The two steps of the plastic number's sequence (Roberts 2018), which fills a square evenly without chance.
STEPS = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a mesh, in the order of its faces.

    Attributes:
        positions: (3, N) float32, world units.
        colors: (3, N) float32 in [0, 1], or None for a bare mesh.
    """

    positions: Floats
    colors: Floats | None


def surface_points(mesh: Mesh, count: int = COUNT) -> SurfacePoints:
    """About ``count`` points of a mesh, as many an area everywhere, with its colours; always the same ones.

    A mesh without area gives its vertices.
    """
    size = areas(mesh.vertices, mesh.faces)
    reached = np.cumsum(size)
    if not np.isfinite(reached[-1]) or reached[-1] <= 0:
        return SurfacePoints(np.ascontiguousarray(mesh.vertices.T), None)
    # Face f has the points whose place on the line of all areas lies within its own part of it.
    ends = (reached * (count / reached[-1]) + 0.5).astype(np.intp)
    face = np.repeat(np.arange(len(size)), np.diff(ends, prepend=0))
    u, v = (np.arange(1, len(face) + 1) * step % 1.0 for step in STEPS)
    folded = u + v > 1  # the other half of the square, turned onto the triangle
    u, v = np.where(folded, 1 - u, u), np.where(folded, 1 - v, v)
    weights = np.stack([1 - u - v, u, v], dtype=np.float32)
    corners = mesh.faces.take(face, axis=0).T.astype(np.intp)
    return SurfacePoints(_mixed(mesh.vertices, corners, weights), _colors(mesh, corners, weights))


def _mixed(values: Floats, corners: Index, weights: Floats) -> Floats:
    """(V, C) at N points given by their corners (3, N) and weights (3, N): (C, N)."""
    columns = np.ascontiguousarray(values.T, np.float32)
    mixed = columns.take(corners[0], axis=1) * weights[0]
    for corner, weight in zip(corners[1:], weights[1:]):
        mixed += columns.take(corner, axis=1) * weight
    return np.asarray(mixed, np.float32)


def _colors(mesh: Mesh, corners: Index, weights: Floats) -> Floats | None:
    """(3, N) of the texel at each point, or of the vertices; None where the mesh has neither."""
    if mesh.texture is not None and mesh.uvs is not None:
        height, width = mesh.texture.shape[:2]
        u, v = _mixed(mesh.uvs, corners, weights)
        column = np.clip(u * width, 0, width - 1).astype(np.intp)
        texel = np.clip(v * height, 0, height - 1).astype(np.intp) * width + column
        return np.asarray(mesh.texture.reshape(-1, 3).take(texel, axis=0).T / np.float32(255), np.float32)
    return None if mesh.colors is None else _mixed(mesh.colors, corners, weights)
