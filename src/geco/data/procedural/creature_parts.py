"""What creatures share: coats, heads, eyes, hats."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.outlines import polygon
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, cone, cylinder, prism, tube

WHITE, BLACK = np.array([0.96, 0.96, 0.94]), np.array([0.07, 0.06, 0.08])


def coat_of(a: Assembly) -> Finish:
    rng = a.rng
    ground = (
        material(rng, str(rng.choice(["wood", "stone", "skin", "clay"])))
        if rng.random() < 0.6
        else a.colors.main
    )
    name = str(
        rng.choice(
            ["plain", "gradient", "patches", "rings", "dots", "clouds", "speckles"],
            p=[0.3, 0.15, 0.2, 0.1, 0.1, 0.1, 0.05],
        )
    )
    return a.finish(name, ground, a.colors.dark if rng.random() < 0.4 else WHITE)


def add_head(a: Assembly, skin: Finish, x: float, z: float, r: float, horns: bool) -> None:
    """Head with eyes, ears, and a snout, nose, trunk or mouth."""
    rng = a.rng
    dark = a.plain(BLACK)
    a.add(ball(r, r * rng.uniform(0.85, 1.1), r * rng.uniform(0.85, 1.1), 0.9, 0.9).at(x, 0, z), skin)
    add_eyes(a, x, z + 0.2 * r, r, rng.uniform(0.12, 0.25) * r)
    _add_nose(a, (skin, dark), x, z, r, horns)
    _add_ears(a, skin, x, z, r, horns)


def _add_nose(
    a: Assembly, finishes: tuple[Finish, Finish], x: float, z: float, r: float, trunk: bool
) -> None:
    """A snout, a nose over a mouth, a beak or, where that is allowed, a trunk with tusks."""
    rng, (skin, dark) = a.rng, finishes
    kind = rng.integers(4) if trunk else rng.integers(3)
    if kind == 0:
        long = rng.uniform(0.25, 0.6) * r
        snout = skin if rng.random() < 0.5 else a.plain(WHITE * 0.95)
        a.add(ball(r * 0.5 + long * 0.5, r * 0.5, r * 0.4).at(x + r * 0.75, 0, z - 0.2 * r), snout)
        a.add(ball(0.16 * r).at(x + r * 1.2 + 0.5 * long, 0, z - 0.02 * r), dark)
    elif kind == 1:
        a.add(ball(0.18 * r).at(x + r, 0, z - 0.05 * r), a.plain(a.colors.accent))
        a.add(
            tube(
                [
                    (x + 0.86 * r, -0.4 * r, z - 0.35 * r),
                    (x + 0.96 * r, 0, z - 0.5 * r),
                    (x + 0.86 * r, 0.4 * r, z - 0.35 * r),
                ],
                0.05 * r,
            ),
            dark,
        )
    elif kind == 2:
        a.add(
            cone(0.2 * r, 0.5 * r, 12).turned("y", 95).at(x + 0.9 * r, 0, z - 0.1 * r),
            a.plain(np.array([0.95, 0.6, 0.15])),
        )
    else:
        a.add(
            tube(
                [
                    (x + 0.8 * r, 0, z),
                    (x + 1.5 * r, 0, z - 0.4 * r),
                    (x + 1.5 * r, 0, z - 1.5 * r),
                    (x + 1.9 * r, 0, z - 1.8 * r),
                ],
                [0.35 * r, 0.28 * r, 0.2 * r, 0.14 * r],
            ),
            skin,
        )
        a.pair(
            cone(0.1 * r, 0.7 * r, 10).turned("y", 75).at(x + 0.85 * r, 0.4 * r, z - 0.4 * r), a.plain(WHITE)
        )


def _add_ears(a: Assembly, skin: Finish, x: float, z: float, r: float, horns: bool) -> None:
    """Ears, or none; horns now and then, where they are allowed."""
    rng = a.rng
    ears = rng.integers(5)
    inner = a.any(0.0)
    if ears == 0:
        a.pair(ball(0.13 * r, 0.4 * r, 0.4 * r).at(x, 0.75 * r, z + 0.75 * r), skin)
    elif ears == 1:
        a.pair(cone(0.3 * r, 0.6 * r, 12).turned("x", -20).at(x, 0.5 * r, z + 0.7 * r), skin)
    elif ears == 2:
        a.pair(ball(0.15 * r, 0.22 * r, 0.8 * r).turned("x", -12).at(x, 0.4 * r, z + 1.4 * r), skin)
    elif ears == 3:
        a.pair(ball(0.12 * r, 0.7 * r, 0.8 * r).turned("z", 20).at(x - 0.2 * r, 1.2 * r, z + 0.1 * r), skin)
    if horns and rng.random() < 0.3:
        a.pair(
            tube(
                [(x, 0.35 * r, z + 0.8 * r), (x, 0.7 * r, z + 1.2 * r), (x + 0.1, 0.65 * r, z + 1.7 * r)],
                [0.14 * r, 0.1 * r, 0.03],
            ),
            inner,
        )


def add_eyes(a: Assembly, x: float, z: float, r: float, size: float) -> None:
    """A pair of eyes on a ball of radius ``r`` about (x, 0, z); pupils look ahead."""
    yaw = np.radians(a.rng.uniform(22, 38))
    where = (x + r * 0.93 * np.cos(yaw), r * 0.93 * np.sin(yaw), z)
    if a.rng.random() < 0.6:
        a.pair(ball(size).at(*where), a.plain(WHITE))
        a.pair(ball(size * 0.6).at(where[0] + size * 0.6, where[1] + size * 0.15, z), a.plain(BLACK))
    else:
        a.pair(ball(size * 0.8).at(*where), a.plain(BLACK))


def add_hat(a: Assembly, z: float, r: float) -> None:
    kind = a.rng.integers(6)
    finish = a.any(0.4)
    if kind == 0:
        a.add(cylinder(r * 1.15, 0.05, 0.02).at(z=z), finish)
        a.add(cylinder(r * 0.75, r * 0.9, 0.03).at(z=z), finish)
    elif kind == 1:
        a.add(cone(r * 0.85, r * 1.6).at(z=z), finish)
        a.add(ball(r * 0.2).at(z=z + 1.6 * r), a.plain(a.colors.light))
    elif kind == 2:
        a.add(ball(r * 1.06, r * 1.08, r * 0.75).at(z=z + 0.02), finish)
        a.add(ball(r * 0.7, r * 0.7, 0.04).at(r * 0.8, 0, z), finish)
    elif kind == 3:
        a.around(cone(0.1, r * 0.6, 4).at(r * 0.7, 0, z + 0.1), a.plain(np.array([0.9, 0.72, 0.2])), 7)
        a.add(cylinder(r * 0.8, 0.18).at(z=z), a.plain(np.array([0.9, 0.72, 0.2])))
    elif kind == 4:
        a.add(prism(polygon(8, r * 0.95), 0.08).at(z=z + 0.3 * r), finish)
        a.add(cylinder(r * 0.6, 0.4 * r).at(z=z), finish)
