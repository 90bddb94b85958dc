"""Distances between surfaces: points drawn from a mesh, Chamfer distance, F-score.

    p = sample_surface(*predicted, count=100_000, seed=0)
    g = sample_surface(*truth, count=100_000, seed=1)
    distances = Distances.between_points(p, g)
    distances.chamfer, distances.f_score(0.02)

Lengths are in the unit of the points. Tables give them in the common frame: the truth's longest box side is 1
(:func:`geco.metrics.align.common_frame`). Needs scipy, libigl for distances to meshes, numba for what is
visible (extra ``evaluate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geco.cameras import orbit_poses, project
from geco.errors import MeshError, MissingExtraError
from geco.render.rasterize_numpy import rasterize
from geco.types import Bools, Doubles, Floats, Longs

# drawn from each surface for a table: two draws of one surface of area A then lie 0.5 sqrt(A / count) apart
POINTS = 100_000


@dataclass(frozen=True)
class Threshold:
    """A distance at which F-scores are published.

    Attributes:
        name: the column's name.
        distance: in longest sides of the truth's box, whatever frame the source measures in.
        source: who uses it, in which frame.
    """

    name: str
    distance: float
    source: str


# The papers do not print the frame of 0.1 / 0.2 / 0.5. We read them in a box of longest side 2, [-1, 1]; this
# is a reading, so these columns rank methods measured here and are not to be mixed with the printed ones.
_SF3D = "SF3D (2408.00653) and SPAR3D (2501.04689) tables; their frame is not printed, read as longest side 2"
_SIDE = "part of the longest side: ours, in the common frame"
THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("f@1%", 0.01, _SIDE),
    Threshold("f@2%", 0.02, _SIDE),
    Threshold("f@5%", 0.05, _SIDE),
    Threshold("sf3d-f@0.1", 0.1 / 2, _SF3D),
    Threshold("sf3d-f@0.2", 0.2 / 2, _SF3D),
    Threshold("sf3d-f@0.5", 0.5 / 2, _SF3D),
)


@dataclass(frozen=True)
class Distances:
    """How far each surface lies from the other, point by point.

    Attributes:
        predicted: (P,) from points of the prediction to the truth.
        truth: (G,) from points of the truth to the prediction.
    """

    predicted: Doubles
    truth: Doubles

    @classmethod
    def between_points(cls, p: ArrayLike, g: ArrayLike) -> Distances:
        """Nearest neighbours between two clouds (P, 3) and (G, 3): what papers print. Independent
        draws never reach 0.
        """
        tree = _tree_type()
        first, second = _points(p), _points(g)
        return cls(tree(second).query(first)[0], tree(first).query(second)[0])

    @classmethod
    def between_meshes(
        cls,
        predicted: tuple[ArrayLike, ArrayLike],
        truth: tuple[ArrayLike, ArrayLike],
        count: int = POINTS,
        seed: int = 0,
        visible_only: bool = False,
    ) -> Distances:
        """From points of each mesh (vertices, faces) to the nearest point ON the other: equal meshes give 0.

        ``visible_only`` draws the points from what can be seen from outside (see :func:`sample_surface`).
        """
        p = sample_surface(*predicted, count=count, seed=seed, visible_only=visible_only)
        g = sample_surface(*truth, count=count, seed=seed + 1, visible_only=visible_only)
        return cls(distance_to_mesh(p, *truth), distance_to_mesh(g, *predicted))

    @property
    def chamfer(self) -> float:
        """1/2 (mean ||p -> g|| + mean ||g -> p||), not squared: GECO (2405.20327), section on metrics."""
        return float(self.predicted.mean() + self.truth.mean()) / 2

    def precision(self, threshold: float) -> float:
        """Share of the prediction nearer than ``threshold`` to the truth."""
        return float((self.predicted < threshold).mean())

    def recall(self, threshold: float) -> float:
        """Share of the truth nearer than ``threshold`` to the prediction."""
        return float((self.truth < threshold).mean())

    def f_score(self, threshold: float) -> float:
        """Harmonic mean of precision and recall (Knapitsch 2017, Tanks and Temples); 0 where both are 0."""
        precision, recall = self.precision(threshold), self.recall(threshold)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def scores(self, side: float = 1.0, thresholds: Sequence[Threshold] = THRESHOLDS) -> dict[str, float]:
        """``chamfer`` and every named F-score, for distances in a frame where the truth's longest
        side is ``side``.
        """
        return {"chamfer": self.chamfer / side} | {
            t.name: self.f_score(t.distance * side) for t in thresholds
        }


def chamfer(p: ArrayLike, g: ArrayLike) -> float:
    """Chamfer distance of two clouds (P, 3) and (G, 3); see :attr:`Distances.chamfer`."""
    return Distances.between_points(p, g).chamfer


def f_score(p: ArrayLike, g: ArrayLike, threshold: float) -> float:
    """F-score of two clouds (P, 3) and (G, 3) at a threshold in their unit; see :meth:`Distances.f_score`."""
    return Distances.between_points(p, g).f_score(threshold)


def sample_surface(
    vertices: ArrayLike, faces: ArrayLike, count: int, seed: int = 0, visible_only: bool = False
) -> Doubles:
    """Points spread evenly over a mesh's area, in random order.

    Args:
        vertices: (V, 3); faces: (F, 3).
        count: points wanted.
        seed: the same seed gives the same points.
        visible_only: only from what some of 26 cameras around the mesh see: leaves out inner layers of soups,
            insides of closed hulls, and whatever lies deeper than that in hollows. Layers nearer to each
            other than 0.4 % of the bounding sphere's diameter count as one.

    Returns:
        (count, 3) float64.

    Raises:
        MeshError: no area, or numbers that are not finite.
    """
    rng = np.random.default_rng(seed)
    points, corners = _points(vertices), np.asarray(faces, np.int64).reshape(-1, 3)
    draw = _Drawer(points[corners], rng)
    if not visible_only:
        return draw(count)
    seen = _Outside(points, corners)
    kept: list[Doubles] = []
    found = 0
    for _ in range(64):
        batch = draw(count)
        kept.append(batch[seen(batch)])
        found += len(kept[-1])
        if found >= count:
            return np.concatenate(kept)[:count]
    raise MeshError(
        "less than 1/64 of the mesh's surface can be seen from outside", "Sample the whole surface."
    )


def distance_to_mesh(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> Doubles:
    """(N,) distance from points (N, 3) to the nearest point of a mesh's triangles."""
    try:
        import igl
    except ImportError as error:
        raise MissingExtraError("libigl", "evaluate", "distances to a mesh") from error
    corners = np.ascontiguousarray(np.asarray(faces, np.int64).reshape(-1, 3))
    squared = igl.point_mesh_squared_distance(_points(points), _points(vertices), corners)[0]
    return np.sqrt(np.maximum(np.asarray(squared), 0.0))


class _Drawer:
    """Draws points from triangles (F, 3, 3): faces by area, in strata, so that every part gets
    its share nearly exactly.
    """

    def __init__(self, triangles: Doubles, rng: np.random.Generator) -> None:
        self.triangles, self.rng = triangles, rng
        edges = triangles[:, 1:] - triangles[:, :1]
        self.areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).cumsum()
        if len(triangles) == 0 or not np.isfinite(self.areas[-1]) or self.areas[-1] <= 0:
            raise MeshError(
                "a mesh without area, or with vertices that are not finite", "Check the file it came from."
            )

    def __call__(self, count: int) -> Doubles:
        at = (np.arange(count) + self.rng.random(count)) / count * self.areas[-1]
        face = np.minimum(np.searchsorted(self.areas, at, side="right"), len(self.areas) - 1)
        # square root: uniform over the triangle
        root, across = np.sqrt(self.rng.random(count)), self.rng.random(count)
        weights = np.stack([1 - root, root * (1 - across), root * across], axis=1)
        points: Doubles = np.einsum("nk,nkc->nc", weights, self.triangles[face])
        return self.rng.permutation(points, axis=0)


class _Outside:
    """Says which points of a mesh's surface can be seen from a ring of cameras around it."""

    # the mesh is brought into the sphere of radius 0.95, as all objects here are
    SIZE, FOV, RADIUS = 512, 30.0, 4.0
    # pixels: the depth of a slanted surface varies within one
    TOLERANCE = 1.8 * 2 * 4.0 * np.tan(np.radians(15)) / 512

    def __init__(self, vertices: Doubles, faces: Longs) -> None:
        used = vertices[np.unique(faces)]
        self.center = (used.min(axis=0) + used.max(axis=0)) / 2
        self.scale = 0.95 / np.linalg.norm(used - self.center, axis=1).max()
        self.poses = outside_poses(self.RADIUS)
        local = (vertices - self.center) * self.scale
        self.depths = [
            rasterize(local, faces, pose, self.FOV, self.SIZE, engine="numba").depth for pose in self.poses
        ]

    def __call__(self, points: Doubles) -> Bools:
        local = (points - self.center) * self.scale
        seen = np.zeros(len(points), bool)
        for pose, depth in zip(self.poses, self.depths):
            uv, at = project(local, pose, self.FOV)
            column, row = np.clip((uv * self.SIZE).astype(int), 0, self.SIZE - 1).T
            seen |= at <= depth[row, column] + self.TOLERANCE
        return seen


def outside_poses(radius: float) -> Floats:
    """(26, 4, 4) cameras towards the faces, edges and corners of a cube."""
    elevations = np.repeat([0.0, 45.0, -45.0], 8)
    return orbit_poses(
        np.r_[np.tile(np.arange(8) * 45.0, 3), 0.0, 0.0], np.r_[elevations, 90.0, -90.0], radius
    )


def _points(values: ArrayLike) -> Doubles:
    points = np.ascontiguousarray(np.asarray(values, np.float64).reshape(-1, 3))
    if len(points) == 0 or not np.isfinite(points).all():
        raise MeshError("no points, or points that are not finite", "Check the mesh that they came from.")
    return points


def _tree_type() -> type:
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise MissingExtraError("scipy", "evaluate", "distances between surfaces") from error
    tree: type = cKDTree
    return tree
