"""Cakes, fruit and snacks."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.outlines import spline
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, box, capsule, cone, cylinder, revolved, torus, tube


def cake(a: Assembly) -> None:
    """Cake, pie or tart: round tiers with icing, berries around and candles."""
    rng = a.rng
    z, r = 0.0, rng.uniform(0.5, 0.7)
    a.add(cylinder(r * 1.25, 0.05, 0.02).at(z=-0.05), a.plain(a.colors.light))
    berry, icing = a.plain(material(rng, "fruit")), a.colors.light
    dough = a.finish(
        str(rng.choice(["icing", "bands", "rings", "dots", "plain"])),
        a.colors.main if rng.random() < 0.5 else material(rng, "bread"),
        icing,
    )
    top = a.plain(icing)
    for _ in range(int(rng.integers(1, 4))):
        h = rng.uniform(0.25, 0.4)
        a.add(cylinder(r, h, 0.03).at(z=z), dough, top)
        z += h
        if rng.random() < 0.7:
            a.around(
                ball(rng.uniform(0.05, 0.09), sides=12).at(r * 0.85, 0, z + 0.02),
                berry if rng.random() < 0.6 else top,
                int(rng.integers(6, 15)),
            )
        r *= rng.uniform(0.55, 0.8)
    for k in range(int(rng.integers(0, 6))):
        x, y = 0.6 * r * np.cos(2.4 * k), 0.6 * r * np.sin(2.4 * k)
        a.add(cylinder(0.03, 0.3).at(x, y, z - 0.02), a.finish("stripes", a.colors.light, a.colors.accent))
        a.add(ball(0.035, 0.035, 0.06, upright=1.3).at(x, y, z + 0.33), a.plain(np.array([1.0, 0.75, 0.2])))


def snack(a: Assembly) -> None:
    """Fruit, burger, ice cream or doughnut."""
    (_fruit, _burger, _ice_cream, _doughnut)[int(a.rng.integers(4))](a)


def _fruit(a: Assembly) -> None:
    rng = a.rng
    color = material(rng, "fruit")
    squash, waist = rng.uniform(0.8, 1.3), rng.uniform(0.3, 1.0)
    t = np.linspace(0, np.pi, 16)
    radius = 0.6 * np.sin(t) * (1 - 0.25 * (1 - waist) * (1 - np.cos(t)))
    height = (
        -0.6 * squash * np.cos(t)
        + 0.22 * np.exp(-(((t) / 0.35) ** 2))
        - 0.22 * np.exp(-(((t - np.pi) / 0.4) ** 2))
    )
    finish = a.finish(
        str(rng.choice(["gradient", "speckles", "clouds", "stripes", "patches"])),
        color,
        color * rng.uniform(0.6, 0.95, 3),
    )
    a.add(revolved(np.stack([radius, height], axis=1)), finish)
    z = float(height[-1])
    a.add(
        tube([(0, 0, z - 0.05), (0.02, 0, z + 0.15), (0.08, 0, z + 0.3)], [0.03, 0.025, 0.035]), a.of("wood")
    )
    if rng.random() < 0.7:
        a.add(
            ball(0.2, 0.09, 0.02).turned("y", -25).at(0.2, 0, z + 0.18).turned("z", rng.uniform(0, 360)),
            a.of("leaf"),
        )


def _burger(a: Assembly) -> None:
    rng = a.rng
    bun, z = a.finish("gradient", material(rng, "bread"), material(rng, "bread") * 0.8), 0.0
    a.add(cylinder(0.6, 0.2, 0.08), bun)
    z = 0.18
    for _ in range(int(rng.integers(2, 6))):
        h = rng.uniform(0.05, 0.14)
        layer = [
            material(rng, "fruit"),
            material(rng, "leaf"),
            material(rng, "wood") * 0.6,
            np.array([0.97, 0.78, 0.25]),
        ][rng.integers(4)]
        shape = (
            box(1.05, 1.05, 0.04).turned("z", rng.uniform(0, 90))
            if rng.random() < 0.3
            else cylinder(rng.uniform(0.58, 0.68), h, 0.04)
        )
        a.add(shape.at(z=z), a.plain(layer))
        z += 0.04 if shape.size[1] < 0.05 else h * 0.9
    dome = [(0.4, 0.0), (0.62, 0.06), (0.55, 0.25), (0.3, 0.4), (0.02, 0.44)]
    a.add(
        revolved(spline(np.array(dome), 4), 32).at(z=z),
        a.finish("speckles", material(rng, "bread"), a.colors.light),
    )


def _ice_cream(a: Assembly) -> None:
    rng = a.rng
    a.add(
        cone(0.34, 0.95).turned("x", 180).at(z=0.95),
        a.finish("diamonds", material(rng, "bread"), material(rng, "bread") * 0.75),
    )
    z = 1.02
    for k in range(int(rng.integers(1, 4))):
        a.add(
            ball(0.36 - 0.05 * k, upright=0.95).at(z=z + 0.1),
            a.finish(
                str(rng.choice(["plain", "speckles", "marble"])),
                [a.colors.main, a.colors.second, a.colors.light][k],
                a.colors.dark,
            ),
        )
        z += 0.33
    a.add(ball(0.09).at(z=z + 0.12), a.plain(np.array([0.8, 0.08, 0.15])))


def _doughnut(a: Assembly) -> None:
    rng = a.rng
    r, t = rng.uniform(0.42, 0.5), rng.uniform(0.18, 0.26)
    a.add(torus(r, t), a.plain(material(rng, "bread")))
    a.add(
        torus(r, t * 1.03, t * 0.75).at(z=t * 0.36),
        a.finish(str(rng.choice(["plain", "speckles", "stripes"])), a.colors.main, a.colors.light),
    )
    sprinkle = [a.plain(a.colors.accent), a.plain(a.colors.light)]
    for _ in range(int(rng.integers(0, 26))):
        turn, off = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6) * t
        z = t * 0.36 + t * 0.75 * np.sqrt(1 - (off / t) ** 2)
        piece = capsule(0.02, 0.11, 8).turned("y", 90).turned("z", rng.uniform(0, 360))
        a.add(piece.at((r + off) * np.cos(turn), (r + off) * np.sin(turn), z), sprinkle[rng.integers(2)])
