"""Things that are stacked, twisted, knotted or flat: what no class of real objects teaches."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.outlines import Points, heart, polygon, spline, star
from geco.data.procedural.primitives import ball, box, cone, cylinder, prism, revolved, torus, tube, upright
from geco.data.procedural.shape import Shape, loft


def stack(a: Assembly) -> None:
    """Random shapes stacked by size: a totem, a chess piece, a ring toy, a block tower."""
    rng = a.rng
    z, scale = 0.0, 1.0
    twist = rng.choice([0.0, 1.0]) * rng.uniform(-60, 60)
    for _ in range(int(rng.integers(3, 7))):
        shape = _lump(rng)
        low, high = shape.vertices[:, 2].min(), shape.vertices[:, 2].max()
        if twist and high - low > 0.25:
            shape = shape.twisted(twist)
        shape = shape.scaled(scale)
        a.add(shape.at(0, 0, z - float(low) * scale), a.any(0.6), a.any(0.1) if rng.random() < 0.4 else None)
        z += float(high - low) * scale * 0.94
        scale *= rng.uniform(0.72, 1.02)


def blocks(a: Assembly) -> None:
    """An arch, a castle of toy bricks, a staircase: boxes and cylinders on a grid, mirrored."""
    rng = a.rng
    unit = 0.3
    finishes = [a.any(0.4) for _ in range(4)]
    heights = rng.integers(1, 5, (int(rng.integers(1, 3)), int(rng.integers(1, 4))))
    for i, row in enumerate(heights):
        for j, levels in enumerate(row):
            for level in range(int(levels)):
                at = (0.5 * unit - i * unit, (j + 0.5) * unit, level * unit)
                shape = (
                    box(unit * 0.97, unit * 0.97, unit * 0.97, 0.02)
                    if rng.random() < 0.75
                    else cylinder(0.47 * unit, unit)
                )
                a.pair(shape.at(*at), finishes[rng.integers(4)])
            top = rng.integers(4)
            at = (0.5 * unit - i * unit, (j + 0.5) * unit, levels * unit)
            if top == 0:
                a.pair(cone(0.48 * unit, unit, 4).turned("z", 45).at(*at), finishes[rng.integers(4)])
            elif top == 1:
                a.pair(ball(0.42 * unit).at(at[0], at[1], at[2] + 0.3 * unit), finishes[rng.integers(4)])
            elif top == 2:
                a.pair(cylinder(0.2 * unit, 0.12 * unit).at(*at), finishes[rng.integers(4)])


def column(a: Assembly) -> None:
    """One body twisted, bent and tapered, on a plinth: vases of glass, horns, sculptures."""
    rng = a.rng
    outline = [
        polygon(int(rng.integers(3, 9)), 0.35),
        star(int(rng.integers(4, 9)), 0.4, rng.uniform(0.22, 0.35)),
        polygon(24, 0.33),
    ][rng.integers(3)]
    levels = np.linspace(0, rng.uniform(1.0, 1.7), 28)
    waist = spline(rng.uniform(0.45, 1.25, (int(rng.integers(2, 5)), 1)), 8)[:, 0]
    radii = np.interp(levels, np.linspace(0, levels[-1], len(waist)), waist)
    sections = np.stack(
        [np.concatenate([outline * r, np.full((len(outline), 1), z)], axis=1) for r, z in zip(radii, levels)]
    )
    body = (
        loft(sections, smooth=len(outline) > 20)
        .twisted(rng.choice([0, 90, 180, -120]) * rng.uniform(0.5, 1.2))
        .bent(rng.choice([0, 0, 45, 80]) * rng.uniform(0.5, 1.1))
    )
    a.add(body, a.any(0.7), a.any(0.1))
    if rng.random() < 0.6:
        a.add(cylinder(0.5, 0.1, 0.02).at(z=-0.08), a.of("stone"))


def knot(a: Assembly) -> None:
    """A closed or coiled tube: torus knots, springs, pretzels."""
    rng = a.rng
    t = np.linspace(0, 2 * np.pi, 120)
    if rng.random() < 0.5:
        p, q = [(2, 3), (3, 2), (2, 5), (3, 4)][rng.integers(4)]
        r = 0.55 + 0.25 * np.cos(q * t)
        path = np.stack([r * np.cos(p * t), r * np.sin(p * t), 0.3 * np.sin(q * t)], axis=1)
        shape = tube(path, rng.uniform(0.08, 0.14), sides=14, smooth=1)
    else:
        turns, narrow = rng.uniform(2, 5), rng.uniform(0.2, 1.0)
        r = 0.5 * (1 + (narrow - 1) * t / (2 * np.pi))
        path = np.stack([r * np.cos(turns * t), r * np.sin(turns * t), t * rng.uniform(0.12, 0.22)], axis=1)
        shape = tube(path, rng.uniform(0.05, 0.1), sides=12, smooth=1)
    a.add(shape.turned("x", rng.choice([0, 90])), a.any(0.6))
    if rng.random() < 0.4:
        a.add(ball(0.18).at(z=float(a.span()[1, 2]) + 0.1), a.any(0.3))


def trophy(a: Assembly) -> None:
    """A flat figure (star, heart, gear, arrow, letter-like) on a stem and a base."""
    rng = a.rng
    arrow: Points = [(0.5, 0), (0.0, 0.5), (0.0, 0.2), (-0.5, 0.2), (-0.5, -0.2), (0.0, -0.2), (0.0, -0.5)]
    cross: Points = [
        (s * x, s * y)
        for s in (1, -1)
        for x, y in ((0.5, -0.17), (0.5, 0.17), (0.17, 0.17), (0.17, 0.5), (-0.17, 0.5), (-0.17, 0.17))
    ]
    outline: Points = [
        star(5, 0.55, 0.25),
        heart(0.5),
        star(int(rng.integers(6, 14)), 0.5, 0.4),
        arrow,
        cross,
        polygon(int(rng.integers(3, 7)), 0.5),
    ][rng.integers(6)]
    shape = upright(prism(outline, rng.uniform(0.1, 0.35), 0.03)).at(-0.1)
    metal = a.plain(np.array([0.88, 0.7, 0.25])) if rng.random() < 0.4 else a.any(0.4)
    low = float(shape.vertices[:, 2].min())
    a.add(shape.at(0, 0, 0.5 - low), metal, a.any(0.5))
    a.add(cylinder(0.1, 0.45, top=0.06).at(z=0.12), metal)
    a.add(box(0.5, rng.uniform(0.5, 0.8), 0.15, 0.02), a.of("wood"))
    if rng.random() < 0.5:
        a.add(
            upright(box(0.09, 0.35, 0.02)).at(0.245, 0, 0.075),
            a.finish("glyphs", a.colors.light, a.colors.dark),
        )


def _lump(rng: np.random.Generator) -> Shape:
    """A random primitive about as wide as 1."""
    kind = rng.integers(8)
    h = rng.uniform(0.15, 0.6)
    if kind == 0:
        return box(
            rng.uniform(0.5, 1), rng.uniform(0.5, 1), h, rng.uniform(0, 0.15), taper=rng.uniform(0.6, 1.2)
        )
    if kind == 1:
        return cylinder(rng.uniform(0.3, 0.5), h, rng.uniform(0, 0.1), top=rng.uniform(0.2, 0.5))
    if kind == 2:
        return ball(
            rng.uniform(0.3, 0.5),
            rng.uniform(0.3, 0.5),
            rng.uniform(0.2, 0.45),
            rng.uniform(0.2, 1.6),
            rng.uniform(0.3, 1.5),
        )
    if kind == 3:
        return torus(rng.uniform(0.25, 0.4), rng.uniform(0.08, 0.16))
    if kind == 4:
        return prism(polygon(int(rng.integers(3, 9)), rng.uniform(0.35, 0.55)), h, 0.03)
    if kind == 5:
        return prism(star(int(rng.integers(4, 10)), 0.5, rng.uniform(0.25, 0.42)), h, 0.02)
    if kind == 6:
        return cone(rng.uniform(0.35, 0.5), h + 0.2, int(rng.choice([4, 6, 24])))
    profile = np.stack([rng.uniform(0.15, 0.5, 5), np.linspace(0, h + 0.2, 5)], axis=1)
    points = spline(profile, 5)
    points[:, 0] = np.maximum(points[:, 0], 0.05)
    return revolved(points, 28)
