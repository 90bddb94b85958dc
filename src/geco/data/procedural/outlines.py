"""Outlines and curves in the plane, from which the primitives are lofted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geco.types import Doubles

Points = Sequence[Sequence[float]] | NDArray[np.floating]


def spline(points: Doubles, steps: int) -> Doubles:
    """Catmull-Rom through (N, K) points, ``steps`` a section: ((N - 1) steps + 1, K)."""
    if steps <= 1 or len(points) < 3:
        return points
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.reshape(-1, points.shape[1]), points[-1:]])


def smooth_profile(profile: Points) -> Doubles:
    """A denser, smoother profile that never leaves the positive side."""
    points = spline(np.asarray(profile, np.float64), 4)
    points[:, 0] = np.maximum(points[:, 0], 0.01)
    return points


def star(points: int, outer: float, inner: float) -> Doubles:
    """(2 points, 2): a star or a gear's outline, a tip on +x."""
    angle = np.arange(2 * points) * np.pi / points
    radius = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def polygon(sides: int, radius: float) -> Doubles:
    """(sides, 2): a regular outline."""
    angle = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def heart(size: float) -> Doubles:
    """(40, 2): a heart's outline, its point on -x."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t), 16 * np.sin(t) ** 3
    return size / 16 * np.stack([x, y], axis=1)


def circle(sides: int) -> Doubles:
    angle = np.linspace(-np.pi, np.pi, sides, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def signed_power(values: Doubles, exponent: float) -> Doubles:
    powered: Doubles = np.sign(values) * np.abs(values) ** exponent
    return powered


def rounded_rectangle(x: float, y: float, radius: float, steps: int) -> Doubles:
    """Counter-clockwise from the middle of the back (-x), so that u = 0.5 is the middle of the front."""
    corners = []
    for sx, sy, start in ((-1, -1, 180), (1, -1, 270), (1, 1, 0), (-1, 1, 90)):
        for angle in np.radians(start + np.linspace(0, 90, steps)) if steps > 1 else [0.0]:
            corner = np.array([sx * (x / 2 - radius), sy * (y / 2 - radius)])
            corners.append(corner + (radius * np.array([np.cos(angle), np.sin(angle)]) if steps > 1 else 0))
    middle = np.array([[-x / 2, 0.0]])
    return np.concatenate([middle, np.array(corners)])
