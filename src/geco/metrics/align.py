"""Bringing a predicted mesh into the truth's frame before they are compared.

    alignment = align(predicted, truth, method="search")     # meshes as (vertices, faces)
    vertices = apply(alignment.matrix, predicted[0])         # now in the truth's coordinates

Only geometry is looked at. A can turned about its axis fits as well as one that is not: where several poses
fit equally well the one that turns the prediction least is taken, and :func:`candidates` lists the others for
a caller who can judge them by their pictures. Needs scipy and libigl (extra ``evaluate``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from geco.errors import ConfigError, MeshError
from geco.metrics.icp import Cloud, TriangleSurface, moved, refine, residual, scale_of
from geco.metrics.rotations import angle_between, convention_rotations, spread_rotations
from geco.metrics.surface_samples import sample_surface
from geco.types import Doubles, Index

MeshArrays = tuple[ArrayLike, ArrayLike]
Method = Literal["none", "box", "search", "search-any"]
METHODS: tuple[str, ...] = get_args(Method)

YAW_STEP = 10.0  # degrees between the turns that are tried about the truth's up axis
# of each surface: for the search, a first and a last fitting
COARSE_POINTS, MIDDLE_POINTS, FINE_POINTS = 400, 1000, 2000
TRIED, KEPT = 16, 4  # poses of the search that are fitted first, and last
FIRST_STEPS, NEXT_STEPS, LAST_STEPS = 15, 8, 40
PROMISING = (2.0, 5e-3)  # poses above 2 best + 5e-3 longest sides after the next steps are left as they are
APART = 15.0  # degrees between poses that count as different
TIE = (1.02, 2e-4)  # poses whose residual is below 1.02 best + 2e-4 longest sides fit equally well


@dataclass(frozen=True)
class Alignment:
    """A similarity that takes the prediction into the truth's coordinates.

    Attributes:
        method: how it was found.
        matrix: (4, 4) float64, prediction -> truth; one scale for all axes, never a mirror (determinant > 0).
        residual: Chamfer distance that is left, in longest box sides of the truth, from 2,000 points of each
            to the other mesh.
        facts: for the record: how far the prediction was turned (degrees), by what it was scaled, how many
            poses were tried.
    """

    method: str
    matrix: Doubles
    residual: float
    facts: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As plain numbers for a JSON row."""
        return {
            "method": self.method,
            "matrix": self.matrix.tolist(),
            "residual": self.residual,
            **self.facts,
        }


def align(
    predicted: MeshArrays,
    truth: MeshArrays,
    method: Method = "box",
    seed: int = 0,
    visible_only: bool = False,
) -> Alignment:
    """The best similarity by a method.

    Args:
        predicted, truth: (vertices (V, 3), faces (F, 3)).
        method: ``none`` trusts the prediction's coordinates. ``box`` brings box centre and longest box side
            together: the common frame of GECO's evaluation (2405.20327). ``search`` takes any of the six axis
            directions as up, every 10 degrees of turn about it, each with its own scale and centre, then fits
            by ICP with scale:
            "brute-force rotation and ICP" of SF3D and SPAR3D. ``search-any`` also takes poses that are
            tilted.
        seed: of the points drawn from both surfaces; the result is deterministic.
        visible_only: fit what can be seen from outside only (soups with inner layers).

    Raises:
        ConfigError: unknown method. MeshError: a mesh without area.
    """
    return candidates(predicted, truth, 1, method, seed, visible_only)[0]


def candidates(
    predicted: MeshArrays,
    truth: MeshArrays,
    k: int = 4,
    method: Method = "search",
    seed: int = 0,
    visible_only: bool = False,
) -> list[Alignment]:
    """Up to ``k`` different poses, best first; among equally good ones the least turned first.
    See :func:`align`.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown alignment {method!r}", f"Use one of {', '.join(METHODS)}.")
    to_frame, box = common_frame(*truth), common_frame(*predicted)
    from_frame = np.linalg.inv(to_frame)
    fixed, moving = (
        _surface(apply(frame, mesh[0]), mesh[1], seed + i, visible_only)
        for i, (frame, mesh) in enumerate(((to_frame, truth), (box, predicted)))
    )
    if method in ("none", "box"):
        matrix = np.eye(4) if method == "none" else from_frame @ box
        return [
            _alignment(
                method, matrix, residual(moving, fixed, to_frame @ matrix @ np.linalg.inv(box)), tried=1
            )
        ]
    rotations = convention_rotations(YAW_STEP) if method == "search" else spread_rotations()
    found = _search(moving, fixed, rotations)
    return [
        _alignment(method, from_frame @ pose @ box, left, tried=len(rotations)) for pose, left in found[:k]
    ]


def apply(matrix: ArrayLike, vertices: ArrayLike) -> Doubles:
    """(V, 3) vertices moved by a (4, 4) matrix."""
    return moved(np.asarray(matrix, np.float64), np.asarray(vertices, np.float64).reshape(-1, 3))


def common_frame(vertices: ArrayLike, faces: ArrayLike | None = None) -> Doubles:
    """(4, 4): puts the box centre at the origin and makes the longest box side 1 (GECO 2405.20327,
    evaluation).

    Args:
        vertices: (V, 3). faces: (F, 3) leaves out vertices that no face uses.
    """
    used = np.asarray(vertices, np.float64).reshape(-1, 3)
    if faces is not None:
        used = used[np.unique(np.asarray(faces, np.int64))]
    if len(used) == 0 or not np.isfinite(used).all():
        raise MeshError(
            "no vertices, or vertices that are not finite", "Check the file that the mesh came from."
        )
    low, high = used.min(axis=0), used.max(axis=0)
    side = float((high - low).max())
    if side <= 0:
        raise MeshError("a mesh without extent", "Check the file that it came from.")
    return _similarity(np.eye(3), 1 / side, -(low + high) / 2 / side)


def _surface(vertices: Doubles, faces: ArrayLike, seed: int, visible_only: bool) -> TriangleSurface:
    return TriangleSurface(sample_surface(vertices, faces, FINE_POINTS, seed, visible_only), vertices, faces)


def _search(
    moving: TriangleSurface, fixed: TriangleSurface, rotations: Doubles
) -> list[tuple[Doubles, float]]:
    """Poses of ``moving`` on ``fixed`` (both in their common frames) and their residuals, best first.

    The first rotation, none, is always among those that are fitted: what is symmetric shall not be turned for
    nothing.
    """
    starts = [_boxed(moving.points, rotation) for rotation in rotations]
    coarse = Cloud(moving.points[:COARSE_POINTS]), Cloud(fixed.points[:COARSE_POINTS])
    scores = np.array([residual(*coarse, pose) for pose in starts])
    scores[0] = 0.0
    order = np.argsort(scores, kind="stable")
    middle = Cloud(moving.points[:MIDDLE_POINTS]), Cloud(fixed.points[:MIDDLE_POINTS])
    first = [refine(*middle, starts[i], FIRST_STEPS) for i in _different(rotations[order], order, TRIED)]
    kept = [first[0], *(fit for fit in _ranked(first)[:KEPT] if fit is not first[0])]
    near = [refine(moving, fixed, pose, NEXT_STEPS) for pose, _ in kept]
    limit = PROMISING[0] * min(left for _, left in near) + PROMISING[1]
    return _ranked(
        [refine(moving, fixed, pose, LAST_STEPS) if left <= limit else (pose, left) for pose, left in near]
    )


def _different(rotations: Doubles, labels: Index, count: int) -> list[int]:
    """The labels of the first ``count`` rotations (N, 3, 3) that lie apart from each other."""
    taken: list[int] = []
    for i, rotation in enumerate(rotations):
        if all(angle_between(rotation, rotations[j]) >= APART for j in taken):
            taken.append(i)
        if len(taken) == count:
            break
    return [int(labels[i]) for i in taken]


def _ranked(fitted: list[tuple[Doubles, float]]) -> list[tuple[Doubles, float]]:
    """Different poses, by residual; those as good as the best by how little they turn."""
    limit = TIE[0] * min(left for _, left in fitted) + TIE[1]

    def rank(found: tuple[Doubles, float]) -> tuple[bool, float]:
        pose, left = found
        return (True, left) if left > limit else (False, angle_between(_rotation(pose), np.eye(3)))

    kept: list[tuple[Doubles, float]] = []
    for pose, left in sorted(fitted, key=rank):
        if all(angle_between(_rotation(pose), _rotation(other)) >= APART for other, _ in kept):
            kept.append((pose, left))
    return kept


def _boxed(points: Doubles, rotation: Doubles) -> Doubles:
    """The pose that turns the points and brings them into the common frame again (as ZeroShape's
    brute-force search does).
    """
    turned = points @ rotation.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = float((high - low).max())
    return _similarity(rotation, 1 / side, -(low + high) / 2 / side)


def _similarity(rotation: Doubles, scale: float, translation: Doubles) -> Doubles:
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = translation
    return matrix


def _rotation(matrix: Doubles) -> Doubles:
    rotation: Doubles = matrix[:3, :3] / scale_of(matrix)
    return rotation


def _alignment(method: str, matrix: Doubles, left: float, tried: int) -> Alignment:
    facts = {
        "turned_degrees": round(angle_between(_rotation(matrix), np.eye(3)), 3),
        "scale": scale_of(matrix),
        "poses_tried": tried,
    }
    return Alignment(method, matrix, left, facts)
