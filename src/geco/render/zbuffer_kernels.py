"""Compiled loops of `rasterize_numba`; imported at the first use, as this module needs numba."""

from __future__ import annotations

from math import ceil
from typing import Any

from geco.render.compiled import compiled


@compiled
def _edge_column(x: Any, y: Any, top: int, bottom: int, row: int) -> Any:
    return x[top] + (row - y[top]) * ((x[bottom] - x[top]) / (y[bottom] - y[top]))


@compiled
def _plane(xa: float, ya: float, xb: float, yb: float, xc: float, yc: float, k: int) -> Any:
    area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
    inverse = 1.0 / area if area != 0 else 0.0
    if k == 1:
        along, down = (yc - ya) * inverse, (xa - xc) * inverse
    else:
        along, down = (ya - yb) * inverse, (xb - xa) * inverse
    return -(along * xa + down * ya), along, down


@compiled
def fill(pixels: Any, inverse: Any, faces: Any, nearness: Any, face_ids: Any) -> None:
    """The nearest face of every pixel, with its 1 / depth; both are written in place."""
    x, y = pixels[0], pixels[1]
    size = face_ids.shape[0]
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if inverse[a] <= 0 or inverse[b] <= 0 or inverse[c] <= 0:
            continue
        first_row = int(min(max(ceil(min(y[a], y[b], y[c])), 0), size))
        past_row = int(min(max(ceil(max(y[a], y[b], y[c])), 0), size))
        if past_row <= first_row:
            continue
        p1 = _plane(x[a], y[a], x[b], y[b], x[c], y[c], 1)
        p2 = _plane(x[a], y[a], x[b], y[b], x[c], y[c], 2)
        p0 = (-p1[0] - p2[0] + 1.0, -p1[1] - p2[1], -p1[2] - p2[2])
        r0 = inverse[a] * p0[0] + inverse[b] * p1[0] + inverse[c] * p2[0]
        r1 = inverse[a] * p0[1] + inverse[b] * p1[1] + inverse[c] * p2[1]
        r2 = inverse[a] * p0[2] + inverse[b] * p1[2] + inverse[c] * p2[2]
        if y[b] < y[a]:
            a, b = b, a
        if y[c] < y[b]:
            b, c = c, b
        if y[b] < y[a]:
            a, b = b, a
        for row in range(first_row, past_row):
            long = _edge_column(x, y, a, c, row)
            short = _edge_column(x, y, a, b, row) if row < y[b] else _edge_column(x, y, b, c, row)
            first = int(min(max(ceil(min(long, short)), 0), size))
            past = int(min(max(ceil(max(long, short)), 0), size))
            for column in range(first, past):
                near = r0 + r1 * column + r2 * row
                if near > nearness[row, column]:
                    nearness[row, column] = near
                    face_ids[row, column] = f


@compiled
def weigh(pixels: Any, inverse: Any, faces: Any, face_ids: Any, barycentrics: Any, depth: Any) -> None:
    """Barycentric weights and depth of every pixel that shows a face; both are written in place."""
    x, y = pixels[0], pixels[1]
    for row in range(face_ids.shape[0]):
        for column in range(face_ids.shape[1]):
            f = face_ids[row, column]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            p1 = _plane(x[a], y[a], x[b], y[b], x[c], y[c], 1)
            p2 = _plane(x[a], y[a], x[b], y[b], x[c], y[c], 2)
            flat1 = p1[0] + p1[1] * column + p1[2] * row
            flat2 = p2[0] + p2[1] * column + p2[2] * row
            flat0 = (-p1[0] - p2[0] + 1.0) + (-p1[1] - p2[1]) * column + (-p1[2] - p2[2]) * row
            flat0, flat1, flat2 = (
                min(max(flat0, 0.0), 1.0),
                min(max(flat1, 0.0), 1.0),
                min(max(flat2, 0.0), 1.0),
            )
            w0, w1, w2 = flat0 * inverse[a], flat1 * inverse[b], flat2 * inverse[c]
            total = w0 + w1 + w2
            barycentrics[row, column, 0] = w0 / total
            barycentrics[row, column, 1] = w1 / total
            barycentrics[row, column, 2] = w2 / total
            depth[row, column] = (flat0 + flat1 + flat2) / total
