"""The shapes that procedural objects are made of: each a loft through cross-sections, standing on
z = 0 or as it says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.data.procedural.outlines import Points, circle, rounded_rectangle, signed_power, spline
from geco.data.procedural.shape import Shape, loft
from geco.types import Doubles


def box(x: float, y: float, z: float, edge: float = 0.0, taper: float = 1.0) -> Shape:
    """A box with rounded edges of radius ``edge``; ``taper`` scales its top."""
    edge = min(edge, 0.49 * min(x, y, z))
    if edge <= 1e-6:
        shape = loft(_stack(rounded_rectangle(x, y, 0.0, 1), [0, z], [1, 1]), smooth=False)
    else:
        steps = np.radians([0, 30, 60, 90])
        heights = [edge * (1 - np.cos(a)) for a in steps] + [z - edge * (1 - np.cos(a)) for a in steps[::-1]]
        insets = [edge * (1 - np.sin(a)) for a in steps] + [edge * (1 - np.sin(a)) for a in steps[::-1]]
        shape = loft(
            np.stack(
                [
                    _lift(rounded_rectangle(x - 2 * i, y - 2 * i, max(edge - i, 1e-4), 4), h)
                    for i, h in zip(insets, heights)
                ]
            )
        )
    return shape if taper == 1.0 else shape.tapered(taper)


def cylinder(
    radius: float, height: float, edge: float = 0.0, top: float | None = None, sides: int = 28
) -> Shape:
    """A cylinder or a cone's frustum (``top``: the radius above), its rims rounded by ``edge``."""
    top = radius if top is None else top
    edge = min(edge, 0.45 * height, 0.9 * min(radius, top)) if top > 0 else 0.0
    if edge <= 1e-6:
        return loft(_stack(circle(sides), [0, height], [radius, top]))
    steps = np.radians([0, 45, 90])
    profile = [(radius - edge * (1 - np.sin(a)), edge * (1 - np.cos(a))) for a in steps]
    profile += [(top - edge * (1 - np.sin(a)), height - edge * (1 - np.cos(a))) for a in steps[::-1]]
    return loft(_stack(circle(sides), [z for _, z in profile], [r for r, _ in profile]))


def cone(radius: float, height: float, sides: int = 24) -> Shape:
    """A cone with a point."""
    return loft(_stack(circle(sides), [0, height], [radius, 0]))


def prism(outline: Points, height: float, bevel: float = 0.0) -> Shape:
    """An extruded polygon (N, 2), star-shaped about its mean, with bevelled rims; flat faces."""
    corners = np.asarray(outline, np.float64)
    center = corners.mean(axis=0)
    inner = center + (corners - center) * (
        1 - bevel / max(float(np.linalg.norm(corners - center, axis=1).max()), 1e-9)
    )
    if bevel <= 1e-6:
        return loft(np.stack([_lift(corners, 0), _lift(corners, height)]), smooth=False)
    levels = [_lift(inner, 0), _lift(corners, bevel), _lift(corners, height - bevel), _lift(inner, height)]
    return loft(np.stack(levels), smooth=False)


def ball(
    x: float,
    y: float | None = None,
    z: float | None = None,
    across: float = 1.0,
    upright: float = 1.0,
    sides: int = 24,
) -> Shape:
    """A superellipsoid about the origin with half-axes x, y, z; exponents 1 a sphere, towards 0 a
    box, towards 2 an octahedron.
    """
    y, z = x if y is None else y, x if z is None else z
    latitude = np.linspace(-np.pi / 2, np.pi / 2, max(sides * 2 // 3, 8) + 1)
    longitude = np.linspace(-np.pi, np.pi, sides, endpoint=False)
    ring = np.stack(
        [signed_power(np.cos(longitude), across), signed_power(np.sin(longitude), across)], axis=1
    )
    radii, heights = signed_power(np.cos(latitude), upright), signed_power(np.sin(latitude), upright)
    radii[[0, -1]] = 0.0
    return loft(_stack(ring, heights, radii), capped=False).scaled(x, y, z)


def revolved(profile: Points, sides: int = 36) -> Shape:
    """A surface of revolution about z through (radius, height) points; ends off the axis are
    closed by discs.
    """
    points = np.asarray(profile, np.float64)
    return loft(_stack(circle(sides), points[:, 1], points[:, 0]))


def torus(radius: float, tube_radius: float, height: float | None = None, sides: int = 32) -> Shape:
    """A ring about z around the origin; ``height``: half its height (default: its tube is round)."""
    height = tube_radius if height is None else height
    angle = np.linspace(-np.pi, np.pi, 14, endpoint=False)
    profile = np.stack([radius + tube_radius * np.cos(angle), height * np.sin(angle)], axis=1)
    return loft(_stack(circle(sides), profile[:, 1], profile[:, 0]), ring=True)


def tube(
    path: Points,
    radius: float | Sequence[float],
    sides: int = 12,
    rounded: bool = True,
    flat: float = 1.0,
    smooth: int = 4,
) -> Shape:
    """A pipe along a smooth curve through the points of ``path`` (N, 3).

    Args:
        radius: one, or one a point of ``path``.
        rounded: hemispherical ends.
        flat: thickness across the curve's own plane divided by that within it.
        smooth: curve points a section of ``path`` (1: straight pieces).
    """
    points = np.asarray(path, np.float64)
    radii = (
        np.full(len(points), radius) if isinstance(radius, float | int) else np.asarray(radius, np.float64)
    )
    line = spline(np.concatenate([points, radii[:, None]], axis=1), smooth)
    curve, radii = line[:, :3], np.maximum(line[:, 3], 1e-3)
    tangent = np.gradient(curve, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    side = np.zeros_like(curve)
    axis = np.eye(3)[np.abs(tangent[0]).argmin()]
    for i, t in enumerate(tangent):  # the frame is carried along without turning about the curve
        axis = axis - t * (axis @ t)
        axis /= np.linalg.norm(axis)
        side[i] = axis
    up = np.cross(tangent, side)
    if rounded:
        steps = np.radians([0.0, 30, 60])
        head = [(curve[0] - tangent[0] * radii[0] * np.cos(a), radii[0] * np.sin(a), 0) for a in steps]
        tail = [
            (curve[-1] + tangent[-1] * radii[-1] * np.cos(a), radii[-1] * np.sin(a), len(curve) - 1)
            for a in steps[::-1]
        ]
        stations = [*head, *((p, r, i) for i, (p, r) in enumerate(zip(curve, radii))), *tail]
    else:
        stations = [(p, r, i) for i, (p, r) in enumerate(zip(curve, radii))]
    ring = circle(sides)
    sections = [p + r * (ring[:, :1] * side[i] * flat + ring[:, 1:] * up[i]) for p, r, i in stations]
    return loft(np.stack(sections), capped=not rounded)


def capsule(radius: float, length: float, sides: int = 16) -> Shape:
    """A cylinder with round ends, standing on z = 0; ``length`` is all of it."""
    middle = max(length - 2 * radius, 1e-3)
    angle = np.radians([0.0, 22.5, 45, 67.5, 90])
    profile = [(radius * np.sin(a), radius - radius * np.cos(a)) for a in angle]
    profile += [(radius * np.sin(a), radius + middle + radius * np.cos(a)) for a in angle[::-1]]
    return revolved(profile, sides)


def rod(
    start: Sequence[float], end: Sequence[float], radius: float, top: float | None = None, sides: int = 12
) -> Shape:
    """A straight cylinder from one point to another; ``top``: the radius at the second."""
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    shape = cylinder(radius, float(np.linalg.norm(b - a)), top=top, sides=sides)
    return shape.toward(b - a).at(*a)


def hull(stations: Points, sides: int = 24, square: float = 0.5) -> Shape:
    """A body along +x through superelliptic sections: rows of (x, half width, bottom z, top z);
    ``square`` as in :func:`ball`.
    """
    angle = np.linspace(-np.pi, np.pi, sides, endpoint=False)
    ring = np.stack([signed_power(np.cos(angle), square), signed_power(np.sin(angle), square)], axis=1)
    sections = []
    for x, width, low, high in np.asarray(stations, np.float64):
        y, z = ring[:, 1] * width, (low + high) / 2 + ring[:, 0] * (high - low) / 2
        sections.append(np.stack([np.full(sides, x), y, z], axis=1))
    return loft(np.stack(sections))


def upright(shape: Shape) -> Shape:
    """A plate that lay in the xy plane (its up on +x) stands facing +x, its up on +z."""
    # z -> x, x -> z, y -> -y: a rotation, so that faces keep their sense.
    return shape.turned("y", 90).turned("x", 180)


def _lift(outline: Doubles, z: float) -> Doubles:
    return np.concatenate([outline, np.full((len(outline), 1), z)], axis=1)


def _stack(outline: Doubles, heights: Sequence[float] | Doubles, radii: Sequence[float] | Doubles) -> Doubles:
    """(S, N, 3): copies of an outline (N, 2) of size 1 at heights, scaled by radii."""
    return np.stack([_lift(outline * radius, height) for height, radius in zip(heights, radii)])
