"""Rotations that an alignment tries: other programs' axis conventions, or all of them evenly."""

from __future__ import annotations

import numpy as np

from geco.types import Doubles

SPREAD = 1024  # poses of `spread_rotations`: neighbours about 24 degrees apart, within reach of the fitting


def convention_rotations(yaw_step: float) -> Doubles:
    """(6 * 360 / yaw_step, 3, 3): each of +-x, +-y, +-z becomes up (z), then every turn about z.

    Holds the 24 of the cube; the first is no turn at all.
    """
    ups = np.concatenate([np.eye(3), -np.eye(3)])[[2, 1, 4, 0, 3, 5]]  # as it is first, then y up (glTF)
    tilts = [_up_to_z(up) for up in ups]
    yaws = [_about_z(np.radians(yaw)) for yaw in np.arange(0.0, 360.0, yaw_step)]
    return np.array([yaw @ tilt for tilt in tilts for yaw in yaws])


def spread_rotations(count: int = SPREAD) -> Doubles:
    """(count, 3, 3) rotations spread evenly: no turn, then super-Fibonacci spirals (Alexa, CVPR 2022)."""
    phi, psi = np.sqrt(2.0), 1.533751168755204288118041  # the paper's constants: psi^4 = psi + 4
    s, count = np.arange(count - 1) + 0.5, count - 1
    r, big = np.sqrt(s / count), np.sqrt(1 - s / count)
    alpha, beta = 2 * np.pi * s / phi, 2 * np.pi * s / psi
    x, y, z, w = r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.concatenate([np.eye(3)[None], np.moveaxis(np.array(rows), -1, 0)])


def angle_between(first: Doubles, second: Doubles) -> float:
    """Degrees of the turn from one rotation (3, 3) to another."""
    # = sin(angle / 2): exact for small turns, unlike the trace
    off = np.linalg.norm(first - second) / np.sqrt(8)
    return float(np.degrees(2 * np.arcsin(np.clip(off, 0.0, 1.0))))


def exponential(turn: Doubles) -> Doubles:
    """(3, 3) rotation about a vector by its length in radians (Rodrigues)."""
    angle = float(np.linalg.norm(turn))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = turn / angle
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def _about_z(angle: float) -> Doubles:
    return exponential(np.array([0.0, 0.0, angle]))


def _up_to_z(up: Doubles) -> Doubles:
    """The turn of a cube that takes an axis direction to +z; -z turns about x."""
    axis = np.cross(up, [0.0, 0.0, 1.0])
    if np.linalg.norm(axis) < 0.5:
        return np.eye(3) if up[2] > 0 else exponential(np.array([np.pi, 0.0, 0.0]))
    return np.round(exponential(axis * (np.pi / 2)))
