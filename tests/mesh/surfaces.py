"""Surfaces that are hard to unwrap, built from formulas: knots, ramps, noise, soup."""

from __future__ import annotations

import numpy as np

from geco.mesh import Mesh
from tests.mesh.shapes import sphere


def knot(around: int = 400, across: int = 25, minor: float = 0.12) -> Mesh:
    """A tube along the (2, 3) torus knot; 2 x around x across faces."""
    t = np.arange(around) * (2 * np.pi / around)
    centre = (
        np.stack(
            [(2 + np.cos(3 * t)) * np.cos(2 * t), (2 + np.cos(3 * t)) * np.sin(2 * t), np.sin(3 * t)], axis=1
        )
        / 3.5
    )
    tangent = np.roll(centre, -1, axis=0) - np.roll(centre, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    over = np.cross(side, tangent)
    angle = np.arange(across) * (2 * np.pi / across)
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * over[:, None]
    return grid_mesh(centre[:, None] + minor * ring, closed_rows=True, closed_columns=True)


def ramp(turns: float = 3.0, around: int = 300, across: int = 8) -> Mesh:
    """A spiral ramp seen from above lies on itself ``turns`` times, though all of it faces up and
    hangs together.
    """
    angle = np.linspace(0, 2 * np.pi * turns, around)[:, None]
    radius = np.linspace(0.3, 0.8, across)[None, ::-1]
    height = np.broadcast_to(angle / angle.max() - 0.5, (around, across))
    return grid_mesh(np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1))


def bumpy(level: int = 5, amount: float = 0.05, seed: int = 0) -> Mesh:
    """A sphere with independent noise on every vertex: hundreds of small patches and folds."""
    mesh = sphere(level)
    noise = np.random.default_rng(seed).normal(size=(len(mesh.vertices), 1)) * amount
    return mesh.with_(vertices=mesh.vertices * (1 + noise))


def waves(size: int = 100, seed: int = 0) -> Mesh:
    """A height field of a few random waves, steep in places, turned about all axes."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-0.6, 0.6, size), np.linspace(-0.6, 0.6, size), indexing="ij")
    z = sum(0.08 * np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-25, 25, (6, 3)))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return grid_mesh(np.stack([x, y, np.asarray(z)], axis=-1) @ turn)


def soup(count: int = 300, seed: int = 0) -> Mesh:
    """Loose triangles of all sizes through one another, a tenth of them without area, some
    corners on one point.
    """
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-0.8, 0.8, (count, 1, 3))
    corners = centres + rng.normal(size=(count, 3, 3)) * rng.lognormal(-3, 1, (count, 1, 1))
    corners[::10, 2] = (corners[::10, 0] + corners[::10, 1]) / 2
    corners[::30] = corners[::30, :1]
    return Mesh(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3))


def fans(blades: int = 7) -> Mesh:
    """Triangles that share one edge three at a time, and one corner all together: no manifold anywhere."""
    angle = np.arange(blades) * (2 * np.pi / blades)
    rim = np.stack([np.cos(angle), np.sin(angle), np.zeros(blades)], axis=1) * 0.5
    points = np.concatenate([[[0, 0, -0.5], [0, 0, 0.5]], rim])
    faces = [(0, 1, 2 + k) for k in range(blades)] + [(0, 2 + (k + 1) % blades, 2 + k) for k in range(blades)]
    return Mesh(points, np.array(faces))


def grid_mesh(points: np.ndarray, closed_rows: bool = False, closed_columns: bool = False) -> Mesh:
    """(R, C, 3) points joined to their neighbours, around the ends where closed."""
    rows, columns = points.shape[:2]
    i, j = np.meshgrid(
        np.arange(rows - (not closed_rows)), np.arange(columns - (not closed_columns)), indexing="ij"
    )
    i, j = i.ravel(), j.ravel()
    k, m = (i + 1) % rows, (j + 1) % columns
    a, b, c, d = i * columns + j, k * columns + j, k * columns + m, i * columns + m
    return Mesh(points.reshape(-1, 3), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
