"""What an unwrapping is worth: charts, area used, stretch, and a proof that no triangles overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.errors import MeshError
from geco.mesh.types import Mesh
from geco.mesh.uv_graph import components
from geco.mesh.uv_overlap import overlapping_triangles
from geco.types import Index

_THIN = 1e-6  # of the unit square; float32 coordinates near 1 are 6e-8 apart


@dataclass(frozen=True)
class UVReport:
    """Numbers of an unwrapping.

    Attributes:
        charts: connected pieces of the texture.
        area_used: share of the unit square covered by triangles, 0..1.
        stretch_l2: Sander et al. 2001, "Texture mapping progressive meshes", section 3: root mean square
            stretch over the surface, scaled so that 1 is an isometry with equal texels everywhere; never
            below 1.
        texel_spread: 95th over 5th percentile of uv length per surface length (root of the area ratio), by
            area.
        flipped: triangles mirrored against the others, not counting those too thin for float32 coordinates.
    """

    charts: int
    area_used: float
    stretch_l2: float
    texel_spread: float
    flipped: int


def report(mesh: Mesh) -> UVReport:
    """Measure a mesh's texture coordinates; faces without area on the surface or in the texture
    do not count for stretch.
    """
    uv = _uv_triangles(mesh)
    solid = mesh.triangles.astype(np.float64)
    p, q = solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0]
    s, t = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area_uv = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]) / 2
    area = np.linalg.norm(np.cross(p, q), axis=1) / 2
    thin = _THIN * np.sqrt(np.maximum((s**2).sum(axis=1), (t**2).sum(axis=1)))
    good = (area > 1e-12 * area.sum()) & (np.abs(area_uv) > 1e-14)
    det = 2 * area_uv[good, None]
    along_u = (p[good] * t[good, 1:] - q[good] * s[good, 1:]) / det  # surface derivative by u
    along_v = (q[good] * s[good, :1] - p[good] * t[good, :1]) / det
    mean_square = ((along_u**2).sum(axis=1) + (along_v**2).sum(axis=1)) / 2
    weight, used = area[good], np.abs(area_uv).sum()
    stretch = (
        np.sqrt((mean_square * weight).sum() / weight.sum()) * np.sqrt(used / weight.sum())
        if len(weight)
        else 1.0
    )
    return UVReport(
        charts=int(components(len(mesh.vertices), *_edges(mesh))[mesh.faces].max() + 1)
        if len(mesh.faces)
        else 0,
        area_used=float(used),
        stretch_l2=float(stretch),
        texel_spread=_spread(np.sqrt(np.abs(area_uv[good]) / weight), weight),
        flipped=int(min((area_uv > thin).sum(), (area_uv < -thin).sum())),
    )


def overlaps(mesh: Mesh, tolerance: float = 1e-6) -> Index:
    """(P, 2) pairs of faces whose triangles in the texture reach more than ``tolerance`` (of the unit square)
    into one another.

    Exact separating-axis tests on all pairs that come near one another; nothing is sampled.
    """
    return overlapping_triangles(_uv_triangles(mesh), np.zeros(len(mesh.faces), np.intp), tolerance)


def _uv_triangles(mesh: Mesh) -> np.ndarray:
    if mesh.uvs is None:
        raise MeshError("the mesh has no texture coordinates", "Call geco.mesh.uv.unwrap first.")
    return mesh.uvs.astype(np.float64)[mesh.faces]


def _edges(mesh: Mesh) -> tuple[Index, Index]:
    a, b, c = mesh.faces.T.astype(np.intp)
    return np.concatenate([a, b]), np.concatenate([b, c])


def _spread(values: np.ndarray, weights: np.ndarray) -> float:
    if not len(values):
        return 1.0
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    low, high = (values[order[np.searchsorted(share, at).clip(max=len(order) - 1)]] for at in (0.05, 0.95))
    return float(high / low)
