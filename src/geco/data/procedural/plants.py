"""Trees, cacti, flowers and mushrooms; some in a pot."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.outlines import spline, star
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import (
    ball,
    capsule,
    cone,
    cylinder,
    prism,
    revolved,
    torus,
    tube,
    upright,
)


def plant(a: Assembly) -> None:
    """Tree, fir, cactus, flower, palm or mushroom; some in a pot."""
    rng = a.rng
    bark, leaf = a.finish("wood", material(rng, "wood") * 0.75), a.of("leaf")
    z, kind = 0.0, rng.integers(6)
    if rng.random() < 0.45 and kind != 5:
        r = rng.uniform(0.28, 0.42)
        a.add(cylinder(r * 0.7, 0.4, 0.02, top=r), a.any(0.6), bark)
        a.add(torus(r, 0.05).at(z=0.4), a.any(0.1))
        z = 0.38
    tall = rng.uniform(0.5, 1.1)
    (_tree, _fir, _cactus, _flower, _palm, _mushrooms)[kind](a, z, tall, bark, leaf)


def _tree(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    a.add(
        tube(
            [
                (0, 0, z - 0.05),
                (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), z + 0.5 * tall),
                (0, 0, z + tall),
            ],
            [0.13, 0.09, 0.07],
        ),
        bark,
    )
    fruit = a.plain(material(rng, "fruit")) if rng.random() < 0.5 else None
    for _ in range(int(rng.integers(3, 8))):
        at, r = rng.normal(0, 0.2, 3) + np.array([0, 0, z + tall + 0.15]), rng.uniform(0.22, 0.4)
        a.add(ball(r, upright=0.9, sides=16).at(*at), leaf)
        if fruit is not None:
            for way in rng.normal(size=(3, 3)):
                a.add(ball(0.06, sides=10).at(*(at + r * way / np.linalg.norm(way))), fruit)


def _fir(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    levels = int(rng.integers(2, 6))
    a.add(cylinder(0.09, 0.4).at(z=z - 0.05), bark)
    for k in range(levels):
        a.add(cone(0.55 * (1 - 0.8 * k / levels), 0.55).at(z=z + 0.25 + 0.28 * k), leaf)
    if rng.random() < 0.4:
        a.add(
            upright(prism(star(5, 0.14, 0.06), 0.05)).at(-0.02, 0, z + 0.6 + 0.28 * levels),
            a.plain(np.array([0.95, 0.8, 0.2])),
        )


def _cactus(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    body = a.finish("stripes", material(rng, "leaf"), a.colors.light)
    r = rng.uniform(0.14, 0.24)
    a.add(capsule(r, tall + 0.4).at(z=z - 0.05), body)
    for side in (1, -1)[: int(rng.integers(1, 3))]:
        at = z + rng.uniform(0.25, 0.5) * tall
        a.add(
            tube(
                [
                    (0, side * r * 0.5, at),
                    (0, side * (r + 0.2), at),
                    (0, side * (r + 0.25), at + rng.uniform(0.25, 0.5)),
                ],
                r * 0.6,
            ),
            body,
        )
    a.add(ball(0.1, 0.1, 0.07).at(z=z + tall + 0.36), a.plain(material(rng, "fruit")))


def _flower(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    a.add(tube([(0, 0, z - 0.05), (0.08, 0, z + 0.5 * tall), (0, 0, z + tall)], 0.035), leaf)
    a.pair(ball(0.22, 0.09, 0.025).turned("y", -30).turned("z", 70).at(0, 0.17, z + 0.4 * tall), leaf)
    petals, long = int(rng.integers(5, 13)), rng.uniform(0.2, 0.35)
    tilt = rng.uniform(-50, 10)
    blossom = a.any(0.1)
    head = [
        ball(long, 0.11, 0.03).at(long).turned("y", tilt).turned("z", 360 * k / petals) for k in range(petals)
    ]
    lean = rng.uniform(0, 80)
    for petal in head:
        a.add(petal.turned("y", lean).at(0, 0, z + tall), blossom)
    a.add(
        ball(0.13, 0.13, 0.08).turned("y", lean).at(0, 0, z + tall + 0.01),
        a.finish("dots", np.array([0.9, 0.7, 0.15]), material(rng, "wood")),
    )


def _palm(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    lean = rng.uniform(-0.2, 0.2)
    a.add(
        tube(
            [(0, 0, z - 0.05), (lean, 0, z + 0.5 * tall), (1.5 * lean, 0, z + tall + 0.3)], [0.11, 0.08, 0.07]
        ),
        a.finish("rings", material(rng, "wood"), material(rng, "wood") * 0.7),
    )
    fronds = int(rng.integers(5, 10))
    for k in range(fronds):
        frond = tube([(0, 0, 0), (0.3, 0, 0.18), (0.65, 0, -0.15)], [0.05, 0.11, 0.02], flat=0.25).turned(
            "z", 360 * k / fronds
        )
        a.add(frond.at(1.5 * lean, 0, z + tall + 0.3), leaf)
    a.around(ball(0.08).at(0.1), bark, 3)


def _mushrooms(a: Assembly, z: float, tall: float, bark: Finish, leaf: Finish) -> None:
    rng = a.rng
    cap = a.finish(str(rng.choice(["dots", "plain", "gradient", "speckles"])), a.colors.main, a.colors.light)
    for k in range(int(rng.integers(1, 4))):
        s, x, y = (
            (1.0, 0.0, 0.0)
            if k == 0
            else (rng.uniform(0.35, 0.6), rng.uniform(-0.3, 0.4), (-1) ** k * rng.uniform(0.3, 0.5))
        )
        a.add(cylinder(0.16 * s, tall * s, 0.02, top=0.11 * s).at(x, y), a.plain(a.colors.light))
        dome = [
            (0.05 * s, 0),
            (0.42 * s, 0.0),
            (0.48 * s, 0.08 * s),
            (0.36 * s, 0.3 * s),
            (0.12 * s, 0.4 * s),
            (0.01, 0.41 * s),
        ]
        a.add(revolved(spline(np.array(dome), 3), 28).at(x, y, tall * s - 0.05), cap)
