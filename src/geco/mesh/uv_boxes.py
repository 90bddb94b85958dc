"""Flat charts evened out in their stretch, and turned so that their boxes lie flat and are smallest."""

from __future__ import annotations

import numpy as np

from geco.mesh.uv_charts import chart_sums
from geco.mesh.uv_flatten import FlatCharts, plane_axes
from geco.types import Array

_ANGLES = 16  # own choice: rotations tried in a quarter turn; 5.6 degrees apart, under 1 % of a chart's box


def evened(flat: FlatCharts, normals: Array, areas: Array) -> Array:
    """Points after one linear map a chart that makes its average metric the identity: even texels, less
    stretch.

    A face with normal n, seen along w, is a height field with slope g = -(n . right, n . up) / (n . w); its
    metric in the plane is I + g g^T. The root of the chart's area-weighted mean metric is the linear map of
    least Sander L2 stretch.
    """
    right, up = plane_axes(flat.directions)
    along = (normals * flat.directions[flat.of_face]).sum(axis=1)
    safe = np.where(along > 1e-3, along, np.inf)  # faces without area
    g = (normals * right[flat.of_face]).sum(axis=1) / safe
    h = (normals * up[flat.of_face]).sum(axis=1) / safe
    sums = chart_sums(
        flat.of_face, np.stack([areas, areas * g * g, areas * g * h, areas * h * h], axis=1), flat.count
    )
    xx, xy, yy = (sums[:, 1:] / np.where(sums[:, :1] > 0, sums[:, :1], 1)).T
    xx, yy = xx + 1, yy + 1
    # sqrt of a symmetric 2x2 matrix M: (M + sqrt(det) I) / sqrt(trace + 2 sqrt(det))
    root = np.sqrt(xx * yy - xy * xy)
    scale = 1 / np.sqrt(xx + yy + 2 * root)
    a, b, d = (
        ((xx + root) * scale)[flat.of_point],
        (xy * scale)[flat.of_point],
        ((yy + root) * scale)[flat.of_point],
    )
    x, y = flat.points.T
    return np.stack([a * x + b * y, b * x + d * y], axis=1)


def upright_boxes(points: Array, flat: FlatCharts) -> tuple[Array, Array]:
    """Points turned so that each chart's box is smallest and lies flat, with its corner at the origin.

    Returns:
        (N, 2) points, and the (C, 2) sizes of the boxes (width not below height).
    """
    # a chart of faces without area may have no border
    _, any_point = np.unique(flat.of_point, return_index=True)
    rim = np.unique(np.concatenate([flat.borders[:, 0], any_point]))
    rim = rim[np.argsort(flat.of_point[rim], kind="stable")]
    _, starts = np.unique(flat.of_point[rim], return_index=True)
    angles = np.arange(_ANGLES) * (np.pi / 2 / _ANGLES)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = points[rim].T
    turned = np.stack([cos * x - sin * y, sin * x + cos * y])  # (2, A, R)
    sizes = np.maximum.reduceat(turned, starts, axis=2) - np.minimum.reduceat(turned, starts, axis=2)
    best = sizes.prod(axis=0).argmin(axis=0)
    width, height = sizes[:, best, np.arange(len(starts))]
    angle = angles[best] + np.where(height > width, np.pi / 2, 0)
    cos, sin = np.cos(angle)[flat.of_point], np.sin(angle)[flat.of_point]
    x, y = points.T
    turned = np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
    low = np.minimum.reduceat(turned[rim], starts, axis=0)
    high = np.maximum.reduceat(turned[rim], starts, axis=0)
    return turned - low[flat.of_point], high - low
