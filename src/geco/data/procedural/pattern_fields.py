"""What patterns are made of: cells, letter-like marks, blends and noise that closes around u."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.types import Bools, Doubles


def letter_marks(rng: np.random.Generator, x: Doubles, y: Doubles) -> Bools:
    """Letter-like marks: one random 3 x 5 (or mirrored 5 x 5) bitmap a unit cell."""
    alphabet = rng.random((24, 5, 5)) < 0.55
    alphabet[:12, :, 3:] = alphabet[:12, :, 1::-1]  # half of the marks are symmetric, as letters often are
    alphabet[12:, :, 3:] = False
    text = rng.integers(0, 24, (64, 64))
    index = text[np.floor(y).astype(int) % 64, np.floor(x).astype(int) % 64]
    column, row = np.floor((x % 1) * 7).astype(int) - 1, np.floor((y % 1) * 7).astype(int) - 1
    inside = (column >= 0) & (column < 5) & (row >= 0) & (row < 5)
    return inside & alphabet[index, np.clip(row, 0, 4), np.clip(column, 0, 4)]


def cells(
    rng: np.random.Generator, u: Doubles, v: Doubles, size: tuple[float, float], low: float, high: float
) -> tuple[Doubles, Doubles]:
    """Coordinates in near-square cells; an even number of them around, so that alternating patterns close."""
    cell = rng.uniform(low, high)
    return u * 2 * max(round(size[0] / cell / 2), 1), v * max(round(size[1] / cell), 1)


def repeats(rng: np.random.Generator, length: float, low: float, high: float) -> int:
    return int(np.clip(round(length / rng.uniform(low, high)), 2, 48))


def blend(a: Doubles, b: Doubles, t: NDArray[np.generic]) -> Doubles:
    weight = np.asarray(t, np.float64)[..., None]
    mixed: Doubles = a * (1 - weight) + b * weight
    return mixed


def octaves(
    rng: np.random.Generator, u: Doubles, v: Doubles, size: tuple[float, float], cell: float
) -> Doubles:
    """Three octaves of value noise in [0, 1]."""
    columns, rows = max(round(size[0] / cell), 2), max(round(size[1] / cell), 2)
    total = sum(0.5**k * value_noise(rng, u, v, min(columns << k, 96), min(rows << k, 96)) for k in range(3))
    return np.clip((total / 1.75 - 0.5) * 1.6 + 0.5, 0, 1)


def value_noise(rng: np.random.Generator, u: Doubles, v: Doubles, columns: int, rows: int) -> Doubles:
    """Smooth value noise in [0, 1] that closes around u."""
    lattice = rng.random((rows + 1, columns))
    x, y = u * columns, v * rows
    i, j = np.floor(x).astype(int), np.minimum(np.floor(y).astype(int), rows - 1)
    fx, fy = x - i, y - j
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    top = lattice[j, i % columns] * (1 - fx) + lattice[j, (i + 1) % columns] * fx
    below = lattice[j + 1, i % columns] * (1 - fx) + lattice[j + 1, (i + 1) % columns] * fx
    mixed: Doubles = top * (1 - fy) + below * fy
    return mixed
