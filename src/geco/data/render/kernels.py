"""The loops that numba compiles: a z-buffer over triangles, and the averaging of its samples.
Compiled code is cached on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from geco.errors import MissingExtraError
from geco.render.compiled import compiled

SUPERSAMPLE = 2  # samples a pixel along each side, at ((i + 0.5) / (2 S), (j + 0.5) / (2 S)) of the picture


@functools.cache
def kernel(name: str) -> Callable[..., Any]:
    """The compiled loop of that name (draw, resolve, locate, occlude), built at the first use."""
    source: Any = {"draw": _draw, "resolve": _resolve, "locate": _locate, "occlude": _occlude}[name]
    try:
        return compiled(source, fastmath=True, nogil=True)
    except ImportError as error:
        raise MissingExtraError("numba", "data", "rendering training views") from error


def _draw(soup, finish, pictures, size, ids):  # type: ignore[no-untyped-def]
    """Scan-convert every triangle -> colour (S, S, 3), 1/distance (S, S; 0 = none).

    soup: screen (V, 3) of pixel x, y and 1/distance, faces, uvs, colors. finish: materials, cutoffs, shade.
    pictures: texels, table. ids: (S, S) receives the face of every sample that is hit; (0, 0) if nobody asks.
    """
    screen, faces, uvs, colors = soup
    materials, cutoffs, shade = finish
    texels, table = pictures
    keep = ids.shape[0] > 0
    color = np.zeros((size, size, 3), np.float32)
    nearest = np.zeros((size, size), np.float32)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, w0 = screen[i, 0], screen[i, 1], screen[i, 2]
        x1, y1, w1 = screen[j, 0], screen[j, 1], screen[j, 2]
        x2, y2, w2 = screen[k, 0], screen[k, 1], screen[k, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-12:
            continue
        left = max(int(np.ceil(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.floor(max(x0, x1, x2) - 0.5)), size - 1)
        top = max(int(np.ceil(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.floor(max(y0, y1, y2) - 0.5)), size - 1)
        if left > right or top > bottom:
            continue
        m = materials[f]
        # Mip level by the ratio of texel area to pixel area, a triangle at a time.
        du1, dv1 = uvs[j, 0] - uvs[i, 0], uvs[j, 1] - uvs[i, 1]
        du2, dv2 = uvs[k, 0] - uvs[i, 0], uvs[k, 1] - uvs[i, 1]
        ratio = abs(du1 * dv2 - du2 * dv1) * table[m, 0, 1] * table[m, 0, 2] / abs(area)
        level = 0
        while ratio > 2.0 and level < table.shape[1] - 1:
            ratio *= 0.25
            level += 1
        offset, width, height = table[m, level, 0], table[m, level, 1], table[m, level, 2]
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                b0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) * inverse
                b1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) * inverse
                b2 = 1.0 - b0 - b1
                if b0 < 0 or b1 < 0 or b2 < 0:
                    continue
                w = b0 * w0 + b1 * w1 + b2 * w2
                if w <= nearest[y, x]:
                    continue
                a0, a1, a2 = b0 * w0 / w, b1 * w1 / w, b2 * w2 / w
                u = a0 * uvs[i, 0] + a1 * uvs[j, 0] + a2 * uvs[k, 0]
                v = a0 * uvs[i, 1] + a1 * uvs[j, 1] + a2 * uvs[k, 1]
                column = min(int((u - np.floor(u)) * width), width - 1)
                row = min(int((v - np.floor(v)) * height), height - 1)
                t = offset + row * width + column
                if cutoffs[m] > 0 and texels[t, 3] < cutoffs[m] * 255:
                    continue
                nearest[y, x] = w
                if keep:
                    ids[y, x] = f
                for c in range(3):
                    tint = a0 * colors[i, c] + a1 * colors[j, c] + a2 * colors[k, c]
                    color[y, x, c] = min(texels[t, c] * tint * shade[f], 255.0)
    return color, nearest


def _resolve(color, nearest, rgba, depth, factor):  # type: ignore[no-untyped-def]
    """Average blocks of ``factor`` x ``factor`` samples: straight colour, coverage as alpha,
    nearest depth.
    """
    for y in range(rgba.shape[0]):
        for x in range(rgba.shape[1]):
            hits, closest = 0, np.float32(0)
            total = np.zeros(3, np.float32)
            for dy in range(factor):
                for dx in range(factor):
                    w = nearest[y * factor + dy, x * factor + dx]
                    if w > 0:
                        hits += 1
                        closest = max(closest, w)
                        for c in range(3):
                            total[c] += color[y * factor + dy, x * factor + dx, c]
            if hits > 0:
                for c in range(3):
                    rgba[y, x, c] = np.uint8(total[c] / hits + 0.5)
                rgba[y, x, 3] = np.uint8(hits * 255 / (factor * factor) + 0.5)
                depth[y, x] = 1.0 / closest


def _locate(nearest, ids, facing, pose, lens, normal, position):  # type: ignore[no-untyped-def]
    """World normal and point of the nearest sample of each block, the one whose distance :func:`_resolve`
    takes.

    facing: (F, 3) normals on the camera's side. pose: (3, 4) camera-to-world. lens: focal, cx, cy in samples.
    """
    factor = nearest.shape[0] // normal.shape[0]
    for y in range(normal.shape[0]):
        for x in range(normal.shape[1]):
            closest, row, column = np.float32(0), 0, 0
            for dy in range(factor):
                for dx in range(factor):
                    w = nearest[y * factor + dy, x * factor + dx]
                    if w > closest:
                        closest, row, column = w, y * factor + dy, x * factor + dx
            if closest > 0:
                distance = 1.0 / closest
                right = (column + 0.5 - lens[1]) / lens[0] * distance
                up = (lens[2] - row - 0.5) / lens[0] * distance
                f = ids[row, column]
                for c in range(3):
                    normal[y, x, c] = facing[f, c]
                    position[y, x, c] = (
                        pose[c, 0] * right + pose[c, 1] * up - pose[c, 2] * distance + pose[c, 3]
                    )


def _occlude(position, normal, directions, axes, maps, scale, bias):  # type: ignore[no-untyped-def]
    """Cosine-weighted share of the directions from which each point is seen, see geco.data.render.occlusion.

    directions: (K, 3) unit. axes: (K, 2, 3) right and down of each map. maps: (K, R, R) nearness. scale:
    pixels a unit. -> (S, S), 1 where the normal is 0.
    """
    half = maps.shape[1] / 2
    visibility = np.ones(position.shape[:2], np.float32)
    for y in range(position.shape[0]):
        for x in range(position.shape[1]):
            n0, n1, n2 = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            if n0 == 0 and n1 == 0 and n2 == 0:
                continue
            p0, p1, p2 = (
                position[y, x, 0] + bias * n0,
                position[y, x, 1] + bias * n1,
                position[y, x, 2] + bias * n2,
            )
            total, seen = np.float32(0), np.float32(0)
            for k in range(directions.shape[0]):
                cosine = n0 * directions[k, 0] + n1 * directions[k, 1] + n2 * directions[k, 2]
                if cosine <= 0:
                    continue
                total += cosine
                column = int((p0 * axes[k, 0, 0] + p1 * axes[k, 0, 1] + p2 * axes[k, 0, 2]) * scale + half)
                row = int((p0 * axes[k, 1, 0] + p1 * axes[k, 1, 1] + p2 * axes[k, 1, 2]) * scale + half)
                if row < 0 or column < 0 or row >= maps.shape[1] or column >= maps.shape[2]:
                    seen += cosine
                    continue
                nearness = p0 * directions[k, 0] + p1 * directions[k, 1] + p2 * directions[k, 2]
                if nearness + bias >= maps[k, row, column]:
                    seen += cosine
            visibility[y, x] = seen / total if total > 0 else np.float32(1)
    return visibility
