"""Distances between surfaces: Chamfer distance, F-score.

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

from geco.errors import MissingExtraError
from geco.metrics.surface_samples import finite_points, sample_surface
from geco.types import Doubles

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
        first, second = finite_points(p), finite_points(g)
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


def distance_to_mesh(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> Doubles:
    """(N,) distance from points (N, 3) to the nearest point of a mesh's triangles."""
    try:
        import igl
    except ImportError as error:
        raise MissingExtraError("libigl", "evaluate", "distances to a mesh") from error
    corners = np.ascontiguousarray(np.asarray(faces, np.int64).reshape(-1, 3))
    squared = igl.point_mesh_squared_distance(finite_points(points), finite_points(vertices), corners)[0]
    return np.sqrt(np.maximum(np.asarray(squared), 0.0))


def _tree_type() -> type:
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise MissingExtraError("scipy", "evaluate", "distances between surfaces") from error
    tree: type = cKDTree
    return tree
