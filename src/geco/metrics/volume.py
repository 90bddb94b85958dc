"""What a mesh encloses: generalised winding numbers, and the IoU of two volumes on a grid.

    volume_iou(predicted, truth)                    # meshes as (vertices, faces), in one frame
    compare_volumes(predicted, truth).facts()       # and how well-defined both insides are

The winding number (Jacobson 2013, "Robust inside-outside segmentation using generalized winding numbers")
counts how often the surface goes round a point: 1 inside a closed mesh, 0 outside, between them near holes.
Needs libigl, and numba for carving (extra ``evaluate``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from geco.cameras import project_points
from geco.errors import ConfigError, MeshError, MissingExtraError
from geco.metrics.surface_samples import outside_poses
from geco.render.rasterize_numpy import rasterize
from geco.types import Bools, Doubles

MeshArrays = tuple[ArrayLike, ArrayLike]
Method = Literal["winding", "carve", "auto"]
METHODS: tuple[str, ...] = get_args(Method)

RESOLUTION = 64  # GECO (2405.20327): volume IoU at 64^3
MARGIN = 0.02  # of the longest side of both boxes together, left free on every side
INSIDE = 0.5  # |w| at least this: turned-over meshes count as their right ones, doubled layers (w = 2) too
UNSURE = (0.25, 0.75)  # |w| between these is neither in nor out
# of the box's longest side: longer triangles are quartered first, far ones are then summed up sooner
LONG_EDGE = 0.05
UNSURE_LIMIT = 0.1  # `auto` carves where more than this part of what is inside or unsure is unsure


@dataclass(frozen=True)
class Inside:
    """Which points lie inside a mesh.

    Attributes:
        mask: (N,) bool.
        unsure: share of unsure points among those inside or unsure, by winding number; 0 for a closed mesh.
        method: ``winding`` or ``carve``: what the mask was made by.
    """

    mask: Bools
    unsure: float
    method: str


@dataclass(frozen=True)
class VolumeScores:
    """Two volumes compared.

    Attributes:
        iou: intersection over union in [0, 1]; nan where neither encloses a grid point.
        predicted, truth: volumes in cubic units of the frame.
        predicted_unsure, truth_unsure: see :attr:`Inside.unsure`.
        predicted_method, truth_method: see :attr:`Inside.method`.
        cell: side of a grid cell.
    """

    iou: float
    predicted: float
    truth: float
    predicted_unsure: float
    truth_unsure: float
    predicted_method: str
    truth_method: str
    cell: float

    def facts(self) -> dict[str, float | str]:
        """As plain numbers for a JSON row."""
        return asdict(self)


def volume_iou(
    predicted: MeshArrays, truth: MeshArrays, resolution: int = RESOLUTION, method: Method = "winding"
) -> float:
    """Intersection over union of what two meshes enclose; see :func:`compare_volumes`."""
    return compare_volumes(predicted, truth, resolution, method).iou


def compare_volumes(
    predicted: MeshArrays, truth: MeshArrays, resolution: int = RESOLUTION, method: Method = "winding"
) -> VolumeScores:
    """Compare what two meshes enclose on one grid.

    Args:
        predicted, truth: (vertices (V, 3), faces (F, 3)) in one frame.
        resolution: cells a side of the cube about both boxes and :data:`MARGIN`; sampled at their centres.
        method: see :func:`inside`; applied to each mesh by itself.
    """
    points, cell = grid_about(predicted, truth, resolution)
    p, g = inside(points, *predicted, method=method), inside(points, *truth, method=method)
    union = int((p.mask | g.mask).sum())
    iou = float((p.mask & g.mask).sum() / union) if union else float("nan")
    volumes = (float(p.mask.sum() * cell**3), float(g.mask.sum() * cell**3))
    return VolumeScores(iou, *volumes, p.unsure, g.unsure, p.method, g.method, cell)


def inside(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike, method: Method = "winding") -> Inside:
    """Which points (N, 3) lie inside a mesh.

    Args:
        method: ``winding``: |winding number| >= 0.5, and within the mesh's box. ``carve``: what no camera
            around the mesh sees the air of: right for soups whose faces turn anywhere, but fills hollows too
            narrow to look into. ``auto``: carve where the winding number is unsure (:data:`UNSURE_LIMIT`), or
            finds nothing at all.
    """
    if method not in METHODS:
        raise ConfigError(
            f"unknown way to tell inside from outside {method!r}", f"Use one of {', '.join(METHODS)}."
        )
    queries, corners = np.asarray(points, np.float64).reshape(-1, 3), _corners(vertices, faces)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    boxed = ((queries >= low) & (queries <= high)).all(axis=1)
    turns = np.zeros(len(queries))
    if boxed.any():
        turns[boxed] = np.abs(winding_numbers(queries[boxed], vertices, faces))
    unsure, mask = (turns > UNSURE[0]) & (turns < UNSURE[1]), turns >= INSIDE
    share = float(unsure.sum() / max((unsure | mask).sum(), 1))
    if method == "carve" or (method == "auto" and (share > UNSURE_LIMIT or not mask.any())):
        carved = boxed.copy()
        carved[boxed] = carve(queries[boxed], vertices, faces)
        return Inside(carved, share, "carve")
    return Inside(mask, share, "winding")


def winding_numbers(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> Doubles:
    """(N,) winding numbers at points (N, 3), by the hierarchical approximation (Barill 2018) of libigl."""
    try:
        import igl
    except ImportError as error:
        raise MissingExtraError("libigl", "evaluate", "winding numbers") from error
    corners = _split_long(_corners(vertices, faces))
    positions, numbers = corners.reshape(-1, 3), np.arange(3 * len(corners), dtype=np.int64).reshape(-1, 3)
    queries = np.ascontiguousarray(np.asarray(points, np.float64).reshape(-1, 3))
    return np.asarray(igl.fast_winding_number(positions, numbers, queries), np.float64)


def solid_angle_winding(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> Doubles:
    """(N,) exact winding numbers: the plain sum of solid angles (van Oosterom and Strackee 1983), N x F steps
    in numpy.

    The slow twin of :func:`winding_numbers`, for tests and small meshes.
    """
    corners = _corners(vertices, faces)
    queries = np.asarray(points, np.float64).reshape(-1, 3)
    total = np.empty(len(queries))
    step = max(1, 500_000 // len(corners))
    for start in range(0, len(queries), step):
        a, b, c = (corners[None, :, i] - queries[start : start + step, None] for i in range(3))  # (n, F, 3)
        la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
        volume = (a * np.cross(b, c)).sum(axis=2)
        below = la * lb * lc + (a * b).sum(axis=2) * lc + (b * c).sum(axis=2) * la + (c * a).sum(axis=2) * lb
        total[start : start + step] = np.arctan2(volume, below).sum(axis=1) / (2 * np.pi)
    return total


def carve(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike, size: int = 256) -> Bools:
    """(N,) which points no camera can see: behind the surface from all of 26 directions.
    Orientation does not matter.
    """
    queries, corners = np.asarray(points, np.float64).reshape(-1, 3), _corners(vertices, faces)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    # into the sphere of radius 0.95
    center, scale = (low + high) / 2, 0.95 * 2 / float(np.linalg.norm(high - low))
    local, mesh = (
        (queries - center) * scale,
        (np.asarray(vertices, np.float64).reshape(-1, 3) - center) * scale,
    )
    hidden = np.ones(len(queries), bool)
    for pose in outside_poses(4.0):
        depth = rasterize(mesh, np.asarray(faces).reshape(-1, 3), pose, 30.0, size, engine="numba").depth
        left = np.flatnonzero(hidden)
        uv, at = project_points(local[left], pose, 30.0)
        column, row = np.clip((uv * size).astype(int), 0, size - 1).T
        hidden[left] = at >= depth[row, column]
    return hidden


def grid_about(first: MeshArrays, second: MeshArrays, resolution: int = RESOLUTION) -> tuple[Doubles, float]:
    """Cell centres (resolution^3, 3) of a cube about both meshes' boxes, and the cell's side."""
    corners = np.concatenate([_corners(*first).reshape(-1, 3), _corners(*second).reshape(-1, 3)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    side = float((high - low).max()) * (1 + 2 * MARGIN)
    steps = (np.arange(resolution) + 0.5) / resolution - 0.5
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid * side + (low + high) / 2, side / resolution


def _corners(vertices: ArrayLike, faces: ArrayLike) -> Doubles:
    """(F, 3, 3)."""
    corners: Doubles = np.asarray(vertices, np.float64).reshape(-1, 3)[
        np.asarray(faces, np.int64).reshape(-1, 3)
    ]
    if len(corners) == 0 or not np.isfinite(corners).all():
        raise MeshError(
            "a mesh without faces, or with vertices that are not finite", "Check the file it came from."
        )
    return corners


def _split_long(corners: Doubles) -> Doubles:
    """The same surface (F, 3, 3) with every edge at most :data:`LONG_EDGE`; two to three times as
    fast for planks and panels.
    """
    limit = LONG_EDGE * float(np.ptp(corners, axis=(0, 1)).max())
    done = []
    for _ in range(12):
        long = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1) > limit
        done.append(corners[~long])
        a, b, c = corners[long].transpose(1, 0, 2)
        if len(a) == 0:
            break
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        corners = (
            np.stack([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]])
            .transpose(0, 2, 1, 3)
            .reshape(-1, 3, 3)
        )
    else:
        done.append(corners)
    return np.ascontiguousarray(np.concatenate(done))
