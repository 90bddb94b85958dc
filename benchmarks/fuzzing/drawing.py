"""Pictures of things as arrays: many shapes, sizes, backgrounds and kinds of transparency."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.fuzzing.case import choose
from geco.types import Bytes

SHAPES = {
    "blob": 4, "bars": 2, "ring": 2, "wire": 2, "dots": 1, "several": 2, "text": 1, "pixel": 1, "corner": 1,
    "frame": 1, "grid": 1, "all": 1, "none": 0.5, "noise": 1, "scatter": 0.5,
}  # fmt: skip
GROUNDS = {"clear": 5, "white": 4, "plain": 2, "black": 1, "near": 1, "slope": 2, "noise": 1, "busy": 1}
ALPHAS = {
    "as drawn": 8, "hard": 2, "faint": 2, "one pixel": 1, "frame": 0.7, "corners": 0.7, "noise": 0.5,
    "slope": 0.7, "inverted": 0.5, "shadow": 1,
}  # fmt: skip


def draw(rng: Random) -> tuple[Bytes, str]:
    """A picture (H, W, 4) uint8 and what it is."""
    width, height = _size(rng)
    shape, ground, alpha = choose(rng, SHAPES), choose(rng, GROUNDS), choose(rng, ALPHAS)
    noise = np.random.default_rng(rng.getrandbits(64))
    mask = _mask(shape, width, height, rng, noise)
    color = _color(width, height, rng, noise)
    if ground == "clear":
        rgba = np.dstack([color, _alpha(alpha, mask, rng, noise)])
    else:
        back = _ground(ground, width, height, rng, noise, color)
        share = (mask / 255.0)[..., None]
        rgb = (color * share + back * (1 - share)).astype(np.uint8)
        opaque = np.full_like(mask, 255)
        kept = alpha in ("one pixel", "frame", "corners", "noise", "slope")
        rgba = np.dstack([rgb, _alpha(alpha, opaque, rng, noise) if kept and rng.random() < 0.5 else opaque])
    return np.ascontiguousarray(rgba), f"{width} x {height} {shape} on {ground}, alpha {alpha}"


def _size(rng: Random) -> tuple[int, int]:
    kind = choose(rng, {"small": 8, "edge": 2, "long": 2, "middle": 3, "large": 0.3})
    if kind == "edge":
        return rng.choice((1, 2, 15, 16, 17, 18)), rng.choice((1, 15, 16, 17, 40))
    if kind == "long":
        short, ratio = rng.randint(8, 30), rng.choice((4, 20, 50, 130))
        return (short, short * ratio) if rng.random() < 0.5 else (short * ratio, short)
    low, high = {"small": (16, 100), "middle": (100, 400), "large": (1000, 2200)}[kind]
    return rng.randint(low, high), rng.randint(low, high)


def _mask(shape: str, width: int, height: int, rng: Random, noise: np.random.Generator) -> Bytes:
    """(H, W) uint8: how much of the thing is in a pixel."""
    if shape in ("all", "none"):
        return np.full((height, width), 255 if shape == "all" else 0, np.uint8)
    if shape == "noise":
        return noise.integers(0, 256, (height, width)).astype(np.uint8)
    if shape == "scatter":
        return np.where(noise.random((height, width)) < rng.choice((0.001, 0.05)), 255, 0).astype(np.uint8)
    image = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(image)
    x, y = rng.random() * width, rng.random() * height
    side = rng.choice((0.02, 0.1, 0.4, 0.8)) * min(width, height)
    thin = rng.choice((1, 1, 2, 4, max(1, int(side / 4))))
    solid = rng.choice((255, 255, 255, 130, 120, 40))
    if shape == "pixel":
        pen.point((x, y), solid)
    elif shape == "bars":
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(width) if rng.random() < 0.5 else None
            ends = (
                (at, 0, at, height)
                if at is not None
                else (0, y, width, rng.choice((y, rng.random() * height)))
            )
            pen.line(ends, fill=solid, width=thin)
    elif shape == "ring":
        half = max(side, 2)
        pen.ellipse((x - half, y - half / 2, x + half, y + half), outline=solid, width=thin)
    elif shape == "wire":
        pen.line(
            [(rng.random() * width, rng.random() * height) for _ in range(rng.randint(2, 9))],
            fill=solid,
            width=thin,
        )
    elif shape == "text":
        pen.text((x / 2, y / 2), rng.choice(("GECO", "i", "한글 é", "|||||||", "_")), fill=solid)
    elif shape == "frame":
        pen.rectangle((0, 0, width - 1, height - 1), outline=solid, width=thin)
    elif shape == "grid":
        for step in range(0, max(width, height), rng.choice((3, 10, 40))):
            pen.line((step, 0, step, height), fill=solid)
            pen.line((0, step, width, step), fill=solid)
    elif shape == "corner":
        pen.rectangle((0, 0, side, side), fill=solid)
    else:
        for _ in range({"blob": 1, "dots": 30}.get(shape, rng.randint(2, 6))):
            half = 1.5 if shape == "dots" else max(side * (0.3 + rng.random()), 1)
            cx, cy = rng.random() * width, rng.random() * height
            box = (cx - half, cy - half * (0.3 + rng.random()), cx + half, cy + half)
            (pen.ellipse if rng.random() < 0.6 else pen.rectangle)(box, fill=solid)
    return np.asarray(image)


def _color(width: int, height: int, rng: Random, noise: np.random.Generator) -> Bytes:
    """(H, W, 3) uint8 of the thing."""
    kind = choose(rng, {"plain": 3, "slope": 3, "noise": 2, "white": 1, "black": 1})
    if kind == "noise":
        return noise.integers(0, 256, (height, width, 3)).astype(np.uint8)
    one = {"white": [255] * 3, "black": [0] * 3}.get(kind, [rng.randrange(256) for _ in range(3)])
    color = np.broadcast_to(np.array(one, np.float64), (height, width, 3))
    if kind == "slope":
        color = color * np.linspace(0.2, 1, width)[None, :, None]
    return color.astype(np.uint8)


def _ground(
    kind: str, width: int, height: int, rng: Random, noise: np.random.Generator, color: Bytes
) -> Bytes:
    """(H, W, 3) uint8 behind the thing."""
    if kind == "noise":
        return noise.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if kind == "busy":
        tiles = noise.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
        return tiles.repeat(8, 0).repeat(8, 1)[:height, :width]
    if kind == "near":  # the thing's own colour, or nearly
        return np.clip(color.astype(int) + rng.choice((0, 1, 3, 8)), 0, 255).astype(np.uint8)
    one = {"white": [255] * 3, "black": [0] * 3}.get(kind, [rng.randrange(256) for _ in range(3)])
    back = np.broadcast_to(np.array(one, np.float64), (height, width, 3))
    if kind == "slope":
        back = back * np.linspace(rng.choice((0.1, 0.6, 0.95)), 1, height)[:, None, None]
    if rng.random() < 0.3:
        back = back + noise.normal(0, rng.choice((1, 5)), back.shape)
    return back.clip(0, 255).astype(np.uint8)


def _alpha(kind: str, mask: Bytes, rng: Random, noise: np.random.Generator) -> Bytes:
    """(H, W) uint8: the mask made less plain."""
    height, width = mask.shape
    alpha = mask.astype(np.float64)
    if kind == "hard":
        alpha = np.where(alpha > 127, 255, 0)
    elif kind == "faint":
        alpha *= rng.choice((0.05, 0.2, 0.4, 0.5, 0.6))
    elif kind == "one pixel":
        alpha[rng.randrange(height), rng.randrange(width)] = rng.choice((0, 254, 255, 100))
    elif kind == "frame":
        alpha[[0, -1]] = 0
        alpha[:, [0, -1]] = 0
    elif kind == "corners":
        size = max(1, min(height, width) // 8)
        alpha[:size, :size] = alpha[-size:, -size:] = 0
    elif kind == "noise":
        alpha = alpha * noise.random((height, width))
    elif kind == "slope":
        alpha = alpha * np.linspace(0, 1, width)
    elif kind == "inverted":
        alpha = 255 - alpha
    elif kind == "shadow":
        alpha[height // 2 :] = np.maximum(alpha[height // 2 :], rng.choice((5, 60, 110)))
    return alpha.clip(0, 255).astype(np.uint8)
