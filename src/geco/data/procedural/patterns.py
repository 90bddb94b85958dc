"""Procedural pictures for surfaces: every pattern closes around u, and its features are as wide
as high on the surface.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geco.data.procedural.palette import Color, shade
from geco.data.procedural.pattern_fields import blend, cells, letter_marks, octaves, repeats, value_noise
from geco.images.color import to_bytes
from geco.types import Bytes, Doubles

Pattern = Callable[[np.random.Generator, Doubles, Doubles, tuple[float, float], list[Color]], Doubles]


def paint(
    rng: np.random.Generator, name: str, size: tuple[float, float], colors: list[Color], pixels: int
) -> Bytes:
    """One square tile (pixels, pixels, 3) of sRGB.

    Args:
        name: a key of :data:`PATTERNS`.
        size: width and height of the surface in world units.
        colors: at least two; the first is the ground.
    """
    axis = (np.arange(pixels) + 0.5) / pixels
    u, v = np.meshgrid(axis, axis)
    picture = PATTERNS[name](rng, u, v, size, colors)
    # no surface is one colour exactly
    grain = rng.uniform(0.0, 0.03) * (value_noise(rng, u, v, 9, 9) - 0.5)[..., None]
    return to_bytes(picture + grain)


def _plain(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    return np.broadcast_to(colors[0], (*u.shape, 3))


def _gradient(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    return blend(colors[0], colors[1], np.clip((v - rng.uniform(0, 0.3)) / rng.uniform(0.5, 1), 0, 1))


def _rings(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    count = repeats(rng, size[1], 0.06, 0.3)
    return blend(colors[0], colors[1], (v * count) % 1 < rng.uniform(0.25, 0.6))


def _stripes(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    count, lean = repeats(rng, size[0], 0.06, 0.3), rng.choice([0, 0, 1, -1])
    return blend(colors[0], colors[1], (u * count + lean * v * count) % 1 < rng.uniform(0.25, 0.6))


def _bands(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    edges = np.sort(rng.uniform(0.05, 0.95, rng.integers(1, 5)))
    return np.stack(colors)[(np.searchsorted(edges, v)) % len(colors)]


def _checks(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.08, 0.3)
    return blend(colors[0], colors[1], (np.floor(x) + np.floor(y)) % 2)


def _dots(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.1, 0.35)
    x = x + 0.5 * (np.floor(y) % 2) * rng.integers(2)
    return blend(colors[0], colors[1], np.hypot(x % 1 - 0.5, y % 1 - 0.5) < rng.uniform(0.2, 0.38))


def _zigzag(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.12, 0.35)
    return blend(colors[0], colors[1], (y + np.abs(x % 1 - 0.5)) % 1 < rng.uniform(0.25, 0.6))


def _diamonds(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.12, 0.35)
    return blend(colors[0], colors[1], np.abs(x % 1 - 0.5) + np.abs(y % 1 - 0.5) < rng.uniform(0.25, 0.48))


def _marble(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    warp = octaves(rng, u, v, size, 0.5)
    return blend(colors[0], colors[1], (0.5 + 0.5 * np.sin(2 * np.pi * (2 * warp + v))) ** 3)


def _clouds(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    return blend(colors[0], colors[1], octaves(rng, u, v, size, rng.uniform(0.15, 0.5)))


def _speckles(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    return blend(colors[0], colors[1], octaves(rng, u, v, size, 0.07) > rng.uniform(0.6, 0.72))


def _patches(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    value = octaves(rng, u, v, size, rng.uniform(0.25, 0.6))
    return blend(colors[0], colors[1], np.clip((value - rng.uniform(0.45, 0.6)) / 0.02, 0, 1))


def _wood(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    fine = value_noise(rng, u, v, max(int(size[0] * 40), 8), max(int(size[1] * 3), 2))
    veins = 0.5 + 0.5 * np.sin(
        2 * np.pi * (u * max(round(size[0] * 8), 2) + 1.5 * octaves(rng, u, v, (size[0], size[1] / 3), 0.3))
    )
    return blend(shade(colors[0], 0.08), shade(colors[0], -0.22), 0.5 * fine + 0.5 * veins)


def _planks(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    count = repeats(rng, size[0], 0.08, 0.2)
    tones = rng.uniform(-0.18, 0.1, count)[np.floor(u * count).astype(int) % count]
    board = _wood(rng, u, v, size, colors) * (1 + tones)[..., None]
    return blend(board, shade(colors[0], -0.6), np.abs(u * count % 1 - 0.5) > 0.46)


def _bricks(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    rows, columns = repeats(rng, size[1], 0.06, 0.12), repeats(rng, size[0], 0.12, 0.24)
    y = v * rows
    x = u * columns + 0.5 * (np.floor(y) % 2)
    tones = rng.uniform(-0.2, 0.15, (rows, columns))[
        np.floor(y).astype(int) % rows, np.floor(x).astype(int) % columns
    ]
    brick = np.clip(colors[0] * (1 + tones)[..., None], 0, 1)
    return blend(brick, colors[1], (np.abs(x % 1 - 0.5) > 0.46) | (np.abs(y % 1 - 0.5) > 0.42))


def _scales(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.08, 0.2)
    x = x + 0.5 * (np.floor(y) % 2)
    return blend(colors[0], colors[1], np.clip(np.hypot(x % 1 - 0.5, y % 1) * 1.1 - 0.2, 0, 1))


def _windows(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.14, 0.3)
    lit = rng.random((64, 64))[np.floor(y).astype(int) % 64, np.floor(x).astype(int) % 64] < 0.3
    inside = (np.abs(x % 1 - 0.5) < 0.28) & (np.abs(y % 1 - 0.5) < 0.33)
    wall = blend(colors[0], colors[1], inside)
    return blend(wall, colors[2 % len(colors)], inside & lit)


def _glyphs(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    x, y = cells(rng, u, v, size, 0.12, 0.3)
    return blend(colors[0], colors[1], letter_marks(rng, x, y))


def _label(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    """A panel with marks on the front and another on the back of a plain ground."""
    half, top, bottom = rng.uniform(0.12, 0.2), rng.uniform(0.15, 0.35), rng.uniform(0.65, 0.85)
    x = (np.abs(u - 0.5) if rng.random() < 0.5 else np.abs((u + 0.25) % 0.5 - 0.25)) / half
    side = np.where(u % 1 < 0.5, -1, 1) * x
    y = (v - top) / (bottom - top)
    panel = (x < 1) & (y > 0) & (y < 1)
    ground = blend(colors[0], colors[1], panel)
    rows = int(rng.integers(1, 4))
    columns = max(round(rows * 2 * half * size[0] / max((bottom - top) * size[1], 1e-6)), 1)
    inner = panel & (x < 0.85) & (np.abs(y - 0.5) < 0.4)
    marks = letter_marks(rng, (side / 0.85 + 1) / 2 * columns, np.clip((y - 0.1) / 0.8, 0, 0.999) * rows)
    return blend(ground, colors[2 % len(colors)], inner & marks)


def _bulls_eye(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    """Rings about the middle: for ends (faces of clocks, cut wood, targets)."""
    radius = np.hypot(u - 0.5, v - 0.5) * 2
    count = int(rng.integers(1, 5))
    return np.stack(colors)[np.floor(radius * count + 0.35).astype(int) % min(len(colors), 2)]


def _dial(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    """A clock's face: twelve marks and two hands."""
    x, y = 2 * u - 1, 2 * v - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    marks = (np.abs((angle * 6 / np.pi + 0.5) % 1 - 0.5) < 0.12) & (radius > 0.72) & (radius < 0.88)
    hands = np.zeros(u.shape, bool)
    for length, width in ((0.62, 0.05), (0.42, 0.07)):
        turn = rng.uniform(0, 2 * np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
        hands |= (along > -0.08) & (along < length) & (np.abs(across) < width)
    return blend(colors[0], colors[1], marks | hands | (radius > 0.94))


def _icing(rng, u, v, size, colors):  # type: ignore[no-untyped-def]
    """The second colour flows down from the top in drops."""
    count = repeats(rng, size[0], 0.15, 0.35)
    depth = rng.uniform(0.15, 0.5, count)
    at = u * count
    left = depth[np.floor(at).astype(int) % count]
    edge = 0.12 + left * np.clip(np.sin(np.pi * (at % 1)), 0, 1) ** 0.5
    return blend(colors[0], colors[1], v < edge)


PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "gradient": _gradient,
    "rings": _rings,
    "stripes": _stripes,
    "bands": _bands,
    "checks": _checks,
    "dots": _dots,
    "zigzag": _zigzag,
    "diamonds": _diamonds,
    "marble": _marble,
    "clouds": _clouds,
    "speckles": _speckles,
    "patches": _patches,
    "wood": _wood,
    "planks": _planks,
    "bricks": _bricks,
    "scales": _scales,
    "windows": _windows,
    "glyphs": _glyphs,
    "label": _label,
    "bulls-eye": _bulls_eye,
    "dial": _dial,
    "icing": _icing,
}
