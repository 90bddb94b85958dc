"""Fitting one cloud of surface points to another: iterative closest points with scale, in both directions at once.

Pairs run from the moving cloud to the fixed one and back. One-way pairs would let the scale shrink: a small cloud lies
near something everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.errors import MissingExtraError
from geco.metrics.rotations import exponential

Doubles = NDArray[np.float64]

ITERATIONS = 60
STILL = 1e-6  # longest sides: a step that moves no point further ends the fitting
NEIGHBOURS = 12  # points that a normal is estimated from
POINT_WEIGHT = 0.02  # of the distances along the surface against those across it: keeps flat and round parts from sliding


class Cloud:
    """Points (N, 3) with a search tree; a normal at each when first asked for."""

    def __init__(self, points: Doubles) -> None:
        try:
            from scipy.spatial import cKDTree
        except ImportError as error:
            raise MissingExtraError("scipy", "evaluate", "aligning meshes") from error
        self.points = points
        self.tree = cKDTree(points)
        self._normals: Doubles | None = None

    @property
    def normals(self) -> Doubles:
        """(N, 3) unit, sign arbitrary: direction of least spread among the nearest points."""
        if self._normals is None:
            near = self.points[self.tree.query(self.points, k=min(NEIGHBOURS, len(self.points)))[1]]
            spread = near - near.mean(axis=1, keepdims=True)
            self._normals = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))[1][:, :, 0]
        return self._normals

    def chamfer(self, points: Doubles) -> float:
        """Chamfer distance to other points (M, 3)."""
        return float(self.tree.query(points)[0].mean() + Cloud(points).tree.query(self.points)[0].mean()) / 2

    def chamfer_of_pose(self, moving: Cloud, pose: Doubles) -> float:
        """Chamfer distance to ``moving`` under a similarity (4, 4), without building its tree again."""
        scale = float(np.cbrt(np.linalg.det(pose[:3, :3])))
        ahead = moving.points @ pose[:3, :3].T + pose[:3, 3]
        back = (self.points - pose[:3, 3]) @ pose[:3, :3] / scale**2
        return float(self.tree.query(ahead)[0].mean() + scale * moving.tree.query(back)[0].mean()) / 2


def refine(moving: Cloud, fixed: Cloud, start: Doubles, iterations: int = ITERATIONS) -> tuple[Doubles, float]:
    """The similarity near ``start`` (4, 4) that fits ``moving`` to ``fixed``, and the Chamfer distance that it leaves.

    Each step solves the linearised distances across the surface (point to plane, Chen and Medioni 1991) and, lightly,
    point to point, for turn, scale and shift. The best pose met is returned, so a step that harms does no harm.
    """
    pose = start.copy()
    best, best_score = pose, np.inf
    for _ in range(iterations):
        scale = float(np.cbrt(np.linalg.det(pose[:3, :3])))
        rotation = pose[:3, :3] / scale
        ahead = moving.points @ pose[:3, :3].T + pose[:3, 3]
        to_fixed, there = fixed.tree.query(ahead)
        back = (fixed.points - pose[:3, 3]) @ pose[:3, :3] / scale**2
        to_moving, here = moving.tree.query(back)
        score = float(to_fixed.mean() + scale * to_moving.mean()) / 2
        if score < best_score:
            best, best_score = pose.copy(), score
        points = np.concatenate([ahead, ahead[here]])
        targets = np.concatenate([fixed.points[there], fixed.points])
        # Each distance is measured across the surface that was searched: that one's nearest point is the pair's noise.
        normals = np.concatenate([fixed.normals[there], moving.normals[here] @ rotation.T])
        step = _solve(points, targets, normals)
        pose = step @ pose
        moved = np.abs(points @ (step[:3, :3] - np.eye(3)).T + step[:3, 3]).max()
        if moved < STILL:
            break
    return best, best_score


def _solve(points: Doubles, targets: Doubles, normals: Doubles) -> Doubles:
    """(4, 4) similarity step of least squares for pairs (N, 3)."""
    center = points.mean(axis=0)
    arms, gaps = points - center, targets - points
    # Unknowns: turn (3), shift (3), growth (1). d(point) = turn x arm + shift + growth arm.
    across = np.concatenate([np.cross(arms, normals), normals, (arms * normals).sum(axis=1, keepdims=True)], axis=1)
    matrix = across.T @ across
    right = across.T @ (gaps * normals).sum(axis=1)
    for axis in np.eye(3):
        row = np.concatenate([np.cross(arms, axis), np.broadcast_to(axis, arms.shape), arms @ axis[:, None]], axis=1)
        matrix += POINT_WEIGHT * (row.T @ row)
        right += POINT_WEIGHT * (row.T @ (gaps @ axis))
    found = np.linalg.solve(matrix, right)
    step = np.eye(4)
    turn, growth = found[:3] * min(1.0, 0.5 / max(float(np.linalg.norm(found[:3])), 1e-12)), np.clip(found[6], -0.2, 0.2)
    step[:3, :3] = np.exp(growth) * exponential(turn)
    step[:3, 3] = center + found[3:6] - step[:3, :3] @ center
    return step
