"""Views of textured objects: a z-buffer compiled by numba, mip-mapped textures, simple lights, anti-aliased by supersampling.

Needs numba (extra ``mesh`` or ``torch``). One call renders every view of an object on one core; run several processes for more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.cameras import invert
from geco.data.objects import TexturedObject
from geco.errors import MissingExtraError

Floats = NDArray[np.float32]
SUPERSAMPLE = 2


@dataclass(frozen=True)
class Light:
    """``shade = ambient + hemisphere * n_z + diffuse * max(0, n . direction)``, multiplied onto sRGB; world-fixed.

    The default is the targets' light: nearly the bare base colour, a little darker below, so that views agree.
    """

    ambient: float = 0.8
    hemisphere: float = 0.2
    diffuse: float = 0.0
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)


@dataclass
class Views:
    """N pictures of one object.

    Attributes:
        rgba: (N, S, S, 4) uint8, straight alpha (coverage).
        depth: (N, S, S) float32 distance along the viewing axis of the nearest surface in the pixel, 0 = background.
    """

    rgba: NDArray[np.uint8]
    depth: Floats


def frame_to_fill(obj: TexturedObject, c2w: Floats, ratio: float) -> Floats:
    """Lens of each camera that centres the object's picture and lets its longer side fill ``ratio`` of the frame.

    A crop of a pinhole picture is a pinhole picture: only focal length and principal point change.

    Returns:
        (N, 3): focal length, cx, cy, normalised by the image size.
    """
    local = _to_camera(obj.vertices[np.unique(obj.faces)], c2w)
    x, y = local[..., 0] / -local[..., 2], -local[..., 1] / -local[..., 2]
    low = np.stack([x.min(axis=1), y.min(axis=1)], axis=1)
    high = np.stack([x.max(axis=1), y.max(axis=1)], axis=1)
    focal = ratio / np.maximum((high - low).max(axis=1), 1e-6)
    center = 0.5 - focal[:, None] * (low + high) / 2
    return np.concatenate([focal[:, None], center], axis=1).astype(np.float32)


def lens(fov: float, count: int) -> Floats:
    """(count, 3): the centred lens of ``fov`` degrees."""
    return np.tile(np.array([0.5 / np.tan(np.radians(fov) / 2), 0.5, 0.5], np.float32), (count, 1))


def render_views(obj: TexturedObject, c2w: Floats, lenses: Floats, size: int, lights: list[Light] | Light | None = None) -> Views:
    """Render the object from every camera.

    Args:
        obj: the object; every vertex must lie in front of every camera.
        c2w: (N, 4, 4) camera-to-world.
        lenses: (N, 3) focal length, cx, cy, normalised by the image size (see :func:`lens`).
        size: pixels of a side.
        lights: one for all views, or one a view.
    """
    count = len(c2w)
    lights = lights or Light()
    each = lights if isinstance(lights, list) else [lights] * count
    texels, table = _mipmaps(obj.textures)
    normals = _face_normals(obj)
    fine = size * SUPERSAMPLE
    rgba, depth = np.zeros((count, size, size, 4), np.uint8), np.zeros((count, size, size), np.float32)
    local = _to_camera(obj.vertices, c2w)
    for index in range(count):
        facing = _toward_camera(obj, normals, c2w[index])
        light = each[index]
        direction = np.asarray(light.direction, np.float32)
        shade = light.ambient + light.hemisphere * facing[:, 2] + light.diffuse * np.maximum(facing @ direction, 0)
        distance = -local[index, :, 2]
        focal, cx, cy = lenses[index] * fine
        screen = np.stack(
            [local[index, :, 0] / distance * focal + cx, cy - local[index, :, 1] / distance * focal, 1 / distance], axis=1
        )
        corners = (screen.astype(np.float32), obj.faces, obj.uvs, obj.colors)
        surface = (obj.materials, obj.cutoffs, shade.astype(np.float32), texels, table)
        color, nearest = _kernel("draw")(*corners, *surface, fine)
        _kernel("resolve")(color, nearest, rgba[index], depth[index], SUPERSAMPLE)
    return Views(rgba, depth)


def _to_camera(points: Floats, c2w: Floats) -> Floats:
    w2c = invert(c2w)
    local: Floats = np.matmul(points[None], w2c[:, :3, :3].transpose(0, 2, 1)) + w2c[:, None, :3, 3]
    return local


def _face_normals(obj: TexturedObject) -> Floats:
    a, b, c = (obj.vertices[obj.faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    return (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)).astype(np.float32)


def _toward_camera(obj: TexturedObject, normals: Floats, c2w: Floats) -> Floats:
    """Free models are full of inverted faces: light the side that is seen."""
    view = c2w[:3, 3] - obj.vertices[obj.faces[:, 0]]
    return np.where((normals * view).sum(axis=1, keepdims=True) < 0, -normals, normals)


def _mipmaps(textures: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All textures and their halvings in one flat array (T, 4), and a table (M, L, 3) of offset, width, height."""
    levels = [_halvings(texture) for texture in textures]
    most = max(len(chain) for chain in levels)
    table = np.zeros((len(textures), most, 3), np.int64)
    flat, offset = [], 0
    for row, chain in enumerate(levels):
        for level in range(most):
            picture = chain[min(level, len(chain) - 1)]
            if level < len(chain):
                flat.append(picture.reshape(-1, 4))
                table[row, level] = offset, picture.shape[1], picture.shape[0]
                offset += picture.shape[0] * picture.shape[1]
            else:
                table[row, level] = table[row, level - 1]
    return np.concatenate(flat), table


def _halvings(texture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    chain = [np.ascontiguousarray(texture)]
    while min(chain[-1].shape[:2]) >= 2 and len(chain) < 10:
        last = chain[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2].astype(np.uint16)
        mean = (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2] + 2) // 4
        chain.append(mean.astype(np.uint8))
    return chain


@functools.cache
def _kernel(name: str) -> Callable[..., Any]:
    """The compiled loops, built at the first use."""
    try:
        import numba
    except ImportError as error:
        raise MissingExtraError("numba", "mesh", "rendering training views") from error
    source: Any = {"draw": _draw, "resolve": _resolve}[name]
    compiled: Callable[..., Any] = numba.njit(cache=True, fastmath=True, nogil=True)(source)
    return compiled


def _draw(screen, faces, uvs, colors, materials, cutoffs, shade, texels, table, size):  # type: ignore[no-untyped-def]
    """Scan-convert every triangle. screen: (V, 3) pixel x, y and 1/distance. -> colour (S, S, 3), 1/distance (S, S; 0 = none)."""
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
                for c in range(3):
                    tint = a0 * colors[i, c] + a1 * colors[j, c] + a2 * colors[k, c]
                    color[y, x, c] = min(texels[t, c] * tint * shade[f], 255.0)
    return color, nearest


def _resolve(color, nearest, rgba, depth, factor):  # type: ignore[no-untyped-def]
    """Average blocks of ``factor`` x ``factor`` samples: straight colour, coverage as alpha, nearest depth."""
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
