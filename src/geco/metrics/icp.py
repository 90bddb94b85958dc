"""Fitting one surface to another: iterative closest points with scale, in both directions at once.

Pairs run from the moving surface to the fixed one and back. One-way pairs would let the scale shrink: a small
cloud lies near something everywhere.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from geco.errors import MissingExtraError
from geco.metrics.rotations import exponential
from geco.types import Doubles

STILL = 1e-7  # longest sides: a step that moves no point further ends the fitting
NEIGHBOURS = 12  # points that a cloud's normal is estimated from
# of the distances along the surface against those across it: keeps flat and round parts from sliding
POINT_WEIGHT = 0.02


class NearestSurface(Protocol):
    """What can be fitted: some points of it, and the nearest point and normal to any other."""

    points: Doubles  # (N, 3)

    def nearest(self, queries: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Distances (M,), positions (M, 3) and unit normals (M, 3) of either sign, for queries (M, 3)."""
        ...


class Cloud:
    """A surface known by points: nearest among them, normals by their neighbours. Fast, and as
    coarse as they lie apart.
    """

    def __init__(self, points: Doubles) -> None:
        try:
            from scipy.spatial import cKDTree
        except ImportError as error:
            raise MissingExtraError("scipy", "evaluate", "aligning meshes") from error
        self.points = points
        self.tree = cKDTree(points)
        near = points[self.tree.query(points, k=min(NEIGHBOURS, len(points)))[1]]
        spread = near - near.mean(axis=1, keepdims=True)
        # least spread
        self.normals: Doubles = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))[1][:, :, 0]

    def nearest(self, queries: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        distances, index = self.tree.query(queries)
        return distances, self.points[index], self.normals[index]


class TriangleSurface:
    """A surface known exactly: some points of it, and its triangles for what is nearest."""

    def __init__(self, points: Doubles, vertices: ArrayLike, faces: ArrayLike) -> None:
        try:
            import igl
        except ImportError as error:
            raise MissingExtraError("libigl", "evaluate", "aligning meshes") from error
        self.points = points
        self.vertices = np.ascontiguousarray(np.asarray(vertices, np.float64).reshape(-1, 3))
        corners = np.asarray(faces, np.int64).reshape(-1, 3)
        a, b, c = self.vertices[corners].transpose(1, 0, 2)
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1)
        # a triangle without area has no normal, its neighbours do
        self.faces = np.ascontiguousarray(corners[length > 0])
        self.normals: Doubles = normals[length > 0] / length[length > 0, None]
        self.tree = igl.AABB()
        self.tree.init(self.vertices, self.faces)

    def nearest(self, queries: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        squared, face, where = self.tree.squared_distance(
            self.vertices, self.faces, np.ascontiguousarray(queries)
        )
        return np.sqrt(np.maximum(squared, 0.0)), where, self.normals[face]


def residual(moving: NearestSurface, fixed: NearestSurface, pose: Doubles) -> float:
    """Chamfer distance from ``moving`` under a similarity (4, 4) to ``fixed``, in the unit of ``fixed``."""
    scale = scale_of(pose)
    ahead = fixed.nearest(moved(pose, moving.points))[0]
    back = moving.nearest(_moved_back(pose, fixed.points))[0]
    return float(ahead.mean() + scale * back.mean()) / 2


def refine(
    moving: NearestSurface, fixed: NearestSurface, start: Doubles, steps: int
) -> tuple[Doubles, float]:
    """The similarity near ``start`` (4, 4) that fits ``moving`` to ``fixed``, and the Chamfer distance that
    it leaves.

    Each step solves the linearised distances across the surface (point to plane, Chen and Medioni 1991) and,
    lightly, point to point, for turn, scale and shift. The best pose met is returned, so a step that harms
    does no harm.
    """
    pose = start
    best, best_score = start, np.inf
    for _ in range(steps):
        scale = scale_of(pose)
        ahead = moved(pose, moving.points)
        distance, there, across = fixed.nearest(ahead)
        distance_back, here, across_back = moving.nearest(_moved_back(pose, fixed.points))
        score = float(distance.mean() + scale * distance_back.mean()) / 2
        if score < best_score:
            best, best_score = pose, score
        points = np.concatenate([ahead, moved(pose, here)])
        targets = np.concatenate([there, fixed.points])
        step = _solve(points, targets, np.concatenate([across, across_back @ (pose[:3, :3] / scale).T]))
        pose = step @ pose
        if np.abs(moved(step, points) - points).max() < STILL:
            break
    return best, best_score


def moved(pose: Doubles, points: Doubles) -> Doubles:
    """Points (N, 3) under a (4, 4) matrix."""
    result: Doubles = points @ pose[:3, :3].T + pose[:3, 3]
    return result


def scale_of(pose: Doubles) -> float:
    """The scale of a similarity (4, 4)."""
    return float(np.cbrt(np.linalg.det(pose[:3, :3])))


def _moved_back(pose: Doubles, points: Doubles) -> Doubles:
    result: Doubles = (points - pose[:3, 3]) @ pose[:3, :3] / scale_of(pose) ** 2
    return result


def _solve(points: Doubles, targets: Doubles, normals: Doubles) -> Doubles:
    """(4, 4) similarity step of least squares for pairs (N, 3)."""
    center = points.mean(axis=0)
    arms, gaps = points - center, targets - points
    # Unknowns: turn (3), shift (3), growth (1). d(point) = turn x arm + shift + growth arm.
    rows = np.concatenate(
        [np.cross(arms, normals), normals, (arms * normals).sum(axis=1, keepdims=True)], axis=1
    )
    matrix = rows.T @ rows
    right = rows.T @ (gaps * normals).sum(axis=1)
    for axis in np.eye(3):
        rows = np.concatenate(
            [np.cross(arms, axis), np.broadcast_to(axis, arms.shape), arms @ axis[:, None]], axis=1
        )
        matrix += POINT_WEIGHT * (rows.T @ rows)
        right += POINT_WEIGHT * (rows.T @ (gaps @ axis))
    found = np.linalg.solve(matrix, right)
    # the linear step holds for small turns
    turn = found[:3] * min(1.0, 0.5 / max(float(np.linalg.norm(found[:3])), 1e-12))
    step = np.eye(4)
    step[:3, :3] = np.exp(np.clip(found[6], -0.2, 0.2)) * exponential(turn)
    step[:3, 3] = center + found[3:6] - step[:3, :3] @ center
    return step
