"""Bringing a predicted mesh into the truth's frame before they are compared.

    alignment = align(predicted, truth, method="search")     # meshes as (vertices, faces)
    vertices = apply(alignment.matrix, predicted[0])         # now in the truth's coordinates

Only geometry is looked at. A can turned about its axis fits as well as one that is not: where several poses fit equally
well the one that turns the prediction least is taken, and :func:`candidates` lists the others for a caller who can judge
them by their pictures. Needs scipy (extra ``evaluate``), except for ``none`` and ``box``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geco.errors import ConfigError, MeshError
from geco.metrics.icp import Cloud, refine
from geco.metrics.rotations import angle_between, convention_rotations, spread_rotations
from geco.metrics.surface import sample_surface

Doubles = NDArray[np.float64]
MeshArrays = tuple[ArrayLike, ArrayLike]
Method = Literal["none", "box", "search", "search-any"]
METHODS: tuple[str, ...] = get_args(Method)

YAW_STEP = 10.0  # degrees between the turns that are tried about the truth's up axis
COARSE_POINTS, FINE_POINTS = 400, 4000  # of each surface: for the search, for the fitting
TRIED = 16  # poses of the search that are fitted
APART = 15.0  # degrees between poses that count as different
TIE = (1.02, 2e-4)  # poses whose residual is below 1.02 best + 2e-4 longest sides fit equally well


@dataclass(frozen=True)
class Alignment:
    """A similarity that takes the prediction into the truth's coordinates.

    Attributes:
        method: how it was found.
        matrix: (4, 4) float64, prediction -> truth; one scale for all axes, never a mirror (determinant > 0).
        residual: Chamfer distance that is left, in longest box sides of the truth, between the points of the search; points
            of two equal surfaces lie about 0.01 apart. Compare poses by it, do not report it.
        facts: for the record: rotation in degrees, scale, how many poses were tried.
    """

    method: str
    matrix: Doubles
    residual: float
    facts: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As plain numbers for a JSON row."""
        return {"method": self.method, "matrix": self.matrix.tolist(), "residual": self.residual, **self.facts}


def align(predicted: MeshArrays, truth: MeshArrays, method: Method = "box", seed: int = 0, visible_only: bool = False) -> Alignment:
    """The best similarity by a method.

    Args:
        predicted, truth: (vertices (V, 3), faces (F, 3)).
        method: ``none`` trusts the prediction's coordinates. ``box`` brings box centre and longest box side together: the
            common frame of GECO's evaluation (2405.20327). ``search`` takes any of the six axis directions as up, every
            10 degrees of turn about it, each with its own scale and centre, then fits by ICP with scale: "brute-force
            rotation and ICP" of SF3D and SPAR3D. ``search-any`` also takes poses that are tilted.
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
    """Up to ``k`` different poses, best first; among equally good ones the least turned first. See :func:`align`."""
    if method not in METHODS:
        raise ConfigError(f"unknown alignment {method!r}", f"Use one of {', '.join(METHODS)}.")
    draw = [
        sample_surface(*m, count=FINE_POINTS, seed=seed + i, visible_only=visible_only) for i, m in enumerate((predicted, truth))
    ]
    to_frame, from_frame = common_frame(truth[0], truth[1]), np.linalg.inv(common_frame(truth[0], truth[1]))
    target = Cloud(apply(to_frame, draw[1]))
    box = common_frame(predicted[0], predicted[1])
    if method in ("none", "box"):
        start = to_frame if method == "none" else box
        residual = target.chamfer(apply(start, draw[0]))
        return [_alignment(method, np.eye(4) if method == "none" else from_frame @ start, residual, tried=1)]
    source = apply(box, draw[0])
    rotations = convention_rotations(YAW_STEP) if method == "search" else spread_rotations()
    found = _search(source, target, rotations)
    return [_alignment(method, from_frame @ pose @ box, residual, tried=len(rotations)) for pose, residual in found[:k]]


def apply(matrix: ArrayLike, vertices: ArrayLike) -> Doubles:
    """(V, 3) vertices moved by a (4, 4) matrix."""
    pose = np.asarray(matrix, np.float64)
    moved: Doubles = np.asarray(vertices, np.float64).reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    return moved


def common_frame(vertices: ArrayLike, faces: ArrayLike | None = None) -> Doubles:
    """(4, 4): puts the box centre at the origin and makes the longest box side 1 (GECO 2405.20327, evaluation).

    Args:
        vertices: (V, 3). faces: (F, 3) leaves out vertices that no face uses.
    """
    used = np.asarray(vertices, np.float64).reshape(-1, 3)
    if faces is not None:
        used = used[np.unique(np.asarray(faces, np.int64))]
    if len(used) == 0 or not np.isfinite(used).all():
        raise MeshError("no vertices, or vertices that are not finite", "Check the file that the mesh came from.")
    low, high = used.min(axis=0), used.max(axis=0)
    side = float((high - low).max())
    if side <= 0:
        raise MeshError("a mesh without extent", "Check the file that it came from.")
    return _similarity(np.eye(3), 1 / side, -(low + high) / 2 / side)


def _search(source: Doubles, target: Cloud, rotations: Doubles) -> list[tuple[Doubles, float]]:
    """Poses of ``source`` on ``target`` (both in their common frames) and their residuals, best first."""
    thinned = source[:: max(len(source) // COARSE_POINTS, 1)]
    coarse, back = Cloud(target.points[:: max(len(target.points) // COARSE_POINTS, 1)]), Cloud(thinned)
    starts = [_boxed(source, rotation) for rotation in rotations]
    scores = np.array([coarse.chamfer_of_pose(back, pose) for pose in starts])
    moving = Cloud(source)
    fitted: list[tuple[Doubles, float]] = []
    taken: list[Doubles] = []
    for index in np.argsort(scores, kind="stable"):
        if all(angle_between(rotations[index], other) >= APART for other in taken):
            taken.append(rotations[index])
            fitted.append(refine(moving, target, starts[index]))
        if len(taken) == TRIED:
            break
    return _ranked(fitted)


def _ranked(fitted: list[tuple[Doubles, float]]) -> list[tuple[Doubles, float]]:
    """Different poses, by residual; those as good as the best by how little they turn."""
    best = min(residual for _, residual in fitted)
    limit = TIE[0] * best + TIE[1]
    order = sorted(fitted, key=lambda f: (f[1] > limit, angle_between(_rotation(f[0]), np.eye(3)) if f[1] <= limit else f[1]))
    kept: list[tuple[Doubles, float]] = []
    for pose, residual in order:
        if all(angle_between(_rotation(pose), _rotation(other)) >= APART for other, _ in kept):
            kept.append((pose, residual))
    return kept


def _boxed(points: Doubles, rotation: Doubles) -> Doubles:
    """The pose that turns the points and brings them into the common frame again (as ZeroShape's brute-force search does)."""
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
    return matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))


def _alignment(method: str, matrix: Doubles, residual: float, tried: int) -> Alignment:
    facts = {
        "turned_degrees": round(angle_between(_rotation(matrix), np.eye(3)), 3),
        "scale": float(np.cbrt(np.linalg.det(matrix[:3, :3]))),
        "poses_tried": tried,
    }
    return Alignment(method, matrix, residual, facts)
