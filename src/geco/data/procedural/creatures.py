"""Animals and figures: mirrored left and right, looking towards +x."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import (
    ball,
    box,
    capsule,
    cone,
    cylinder,
    polygon,
    prism,
    rod,
    tube,
    upright,
)

_WHITE, _BLACK = np.array([0.96, 0.96, 0.94]), np.array([0.07, 0.06, 0.08])


def quadruped(a: Assembly) -> None:
    """Dog, cow, elephant, lion, giraffe: body, four legs, neck, head, ears, tail."""
    rng = a.rng
    long, wide, thick = rng.uniform(0.45, 0.75), rng.uniform(0.22, 0.4), rng.uniform(0.24, 0.42)
    legs, neck = rng.uniform(0.25, 0.75), rng.choice([0.12, 0.2, 0.35, 0.75], p=[0.35, 0.35, 0.2, 0.1])
    fur, dark = _coat(a), a.plain(a.colors.dark)
    spine = legs + thick * 0.8
    a.add(ball(long, wide, thick, rng.uniform(0.7, 1.0), rng.uniform(0.7, 1.0)).at(z=spine), fur)
    r = rng.uniform(0.07, 0.14)
    a.corners(rod((long * 0.65, wide * 0.6, 0.03), (long * 0.55, wide * 0.55, spine), r * 0.85, r * 1.2), fur)
    a.corners(ball(r * 1.15, r, 0.07).at(long * 0.65 + 0.02, wide * 0.6, 0.06), dark)
    x, z = long * 0.8 + 0.5 * neck, spine + 0.3 * thick + neck
    head = rng.uniform(0.2, 0.34)
    a.add(
        tube(
            [(long * 0.5, 0, spine + 0.1), (long * 0.8, 0, spine + 0.5 * neck), (x, 0, z)], [0.22, 0.17, 0.15]
        ),
        fur,
    )
    if rng.random() < 0.2:  # a mane
        a.add(ball(0.16, head * 1.5, head * 1.5).at(x - 0.02, 0, z + 0.05), a.of("wood"))
    _head(a, fur, x + 0.1, z + 0.08, head, horns=True)
    tail = -long * 0.95
    if rng.random() < 0.6:
        a.add(
            tube(
                [(tail, 0, spine + 0.1), (tail - 0.2, 0, spine), (tail - 0.22, 0, spine - 0.3)],
                [0.05, 0.04, 0.03],
            ),
            fur,
        )
        a.add(ball(0.06, 0.06, 0.1).at(tail - 0.22, 0, spine - 0.36), dark)
    else:
        lift = rng.uniform(0.1, 0.5)
        a.add(
            tube(
                [
                    (tail + 0.05, 0, spine),
                    (tail - 0.2, 0, spine + lift),
                    (tail - 0.15, 0, spine + lift + 0.25),
                ],
                [0.07, 0.08, 0.03],
            ),
            fur,
        )


def biped(a: Assembly) -> None:
    """Teddy, child, penguin, robot or monster standing on two legs."""
    rng = a.rng
    robot = rng.random() < 0.35
    skin = a.any(0.2) if robot else (_coat(a) if rng.random() < 0.5 else a.plain(material(rng, "skin")))
    clothes = skin if rng.random() < 0.3 else a.any(0.5)
    trousers = clothes if rng.random() < 0.4 else a.any(0.2)
    legs, body, head = rng.uniform(0.2, 0.6), rng.uniform(0.45, 0.75), rng.uniform(0.2, 0.36)
    wide = rng.uniform(0.22, 0.4)
    limb = rng.uniform(0.07, 0.13)
    if robot:
        a.add(box(wide * 1.2, wide * 1.8, body, 0.05, taper=rng.uniform(0.9, 1.25)).at(z=legs), clothes)
        panel = a.finish(
            str(rng.choice(["glyphs", "bulls-eye", "windows", "dial"])),
            a.colors.light,
            a.colors.dark,
            a.colors.accent,
        )
        a.add(upright(box(body * 0.4, wide * 0.9, 0.04, 0.01)).at(wide * 0.58, 0, legs + body * 0.55), panel)
        a.pair(box(2 * limb, 2 * limb, legs + 0.05).at(0, wide * 0.5), trousers)
    else:
        a.add(ball(wide * 0.8, wide, body * 0.6, 0.9, 0.8).at(z=legs + body * 0.48), clothes)
        a.pair(rod((0, wide * 0.5, 0.05), (0, wide * 0.45, legs + 0.12), limb, limb * 1.2), trousers)
    a.pair(ball(0.18, 0.11, 0.08).at(0.07, wide * 0.5, 0.07), a.plain(a.colors.dark))
    shoulder = legs + body * (0.85 if robot else 0.78)
    lift = rng.uniform(-0.45, 0.5)
    y = wide * (0.95 if robot else 0.85)
    hand = (rng.uniform(0, 0.3), y + 0.3, shoulder + lift)
    a.pair(tube([(0, y * 0.9, shoulder), (0.03, y + 0.18, shoulder + 0.4 * lift), hand], limb * 0.8), clothes)
    a.pair(ball(limb).at(*hand), skin)
    if rng.random() < 0.25:
        a.add(capsule(0.035, 0.9).at(hand[0] + 0.05, hand[1], hand[2] - 0.45), a.of("wood"))
    z = legs + body + head * 0.75
    if robot:
        a.add(box(head * 1.6, head * 2, head * 1.5, 0.06).at(z=z - head * 0.7), skin)
        a.pair(
            cylinder(head * 0.28, 0.08).turned("y", 90).at(head * 0.75, head * 0.45, z + 0.05),
            a.plain(a.colors.accent),
        )
        a.add(box(0.06, head, 0.05).at(head * 0.8, 0, z - head * 0.45), a.plain(a.colors.dark))
        a.add(rod((0, 0, z + head * 0.7), (0, 0, z + head * 1.4), 0.02), a.plain(a.colors.dark))
        a.add(ball(0.06).at(z=z + head * 1.45), a.plain(a.colors.accent))
    else:
        _head(a, skin, 0.0, z, head, horns=False)
        _hat(a, z + head * 0.55, head)


def bird(a: Assembly) -> None:
    """Duck, owl, chicken or parrot: egg body, beak, wings, two thin legs."""
    rng = a.rng
    coat, beak = _coat(a), a.plain(np.array([0.95, rng.uniform(0.45, 0.75), 0.15]))
    upright_body = rng.random() < 0.5
    x, z = (0.34, 0.52) if upright_body else (0.55, 0.34)
    legs = rng.uniform(0.12, 0.4)
    a.add(
        ball(x, rng.uniform(0.28, 0.38), z).turned("y", 0 if upright_body else -12).at(z=legs + z * 0.85),
        coat,
    )
    top = (0.08, legs + 1.75 * z) if upright_body else (x * 0.75, legs + 2.1 * z)
    r = rng.uniform(0.18, 0.26)
    a.add(rod((top[0] * 0.6, 0, legs + z), (top[0], 0, top[1]), r * 0.8, r * 0.6), coat)
    a.add(ball(r).at(top[0], 0, top[1]), coat)
    a.add(
        cone(0.08, rng.uniform(0.14, 0.3), 12)
        .turned("y", rng.uniform(85, 110))
        .at(top[0] + r * 0.85, 0, top[1] - 0.02),
        beak,
    )
    _eyes(a, top[0], top[1] + 0.05, r, rng.uniform(0.03, 0.06))
    wing = a.any(0.3)
    a.pair(
        ball(x * 0.7, 0.07, z * 0.55).turned("y", 25).turned("x", -12).at(-0.08, 0.31, legs + z * 0.95), wing
    )
    a.add(
        ball(0.28, 0.14, 0.06).turned("y", 30).at(-x * 0.95, 0, legs + z * (0.5 if upright_body else 1.2)),
        wing,
    )
    a.pair(rod((0, 0.13, 0.02), (0, 0.13, legs + 0.15), 0.03), beak)
    a.pair(box(0.22, 0.14, 0.04, 0.015).at(0.06, 0.13), beak)
    if rng.random() < 0.4:
        a.add(
            prism(
                [(0.0, 0.12), (0.16, 0.12), (0.1, 0.04), (0.2, 0.0), (0.1, -0.04), (0.14, -0.12), (0, -0.12)],
                0.05,
            )
            .turned("y", -90)
            .turned("z", 90)
            .at(top[0], -0.02, top[1] + r * 0.8),
            a.plain(np.array([0.8, 0.12, 0.15])),
        )


def fish(a: Assembly) -> None:
    """Fish, whale or dolphin on a small stand."""
    rng = a.rng
    long, wide, tall = rng.uniform(0.7, 1.0), rng.uniform(0.18, 0.4), rng.uniform(0.25, 0.55)
    skin = a.finish(str(rng.choice(["scales", "rings", "patches", "gradient", "dots", "bands"])))
    fin = a.any(0.2)
    a.add(ball(wide, tall, long).toward((1, 0, 0)).turned("x", 90), skin)
    plate = [(0.0, 0.06), (0.45, 0.35), (0.32, 0.0), (0.45, -0.35), (0.0, -0.06)]
    tail = prism(plate, 0.06, 0.02).at(0, 0, -0.03).turned("z", 180)
    a.add((tail.turned("x", 90) if rng.random() < 0.7 else tail).at(-long * 0.9), fin)
    a.add(
        prism([(-0.3, 0), (-0.2, 0.32), (0.0, 0.28), (0.3, 0)], 0.05, 0.015)
        .turned("x", 90)
        .at(-0.05, 0.025, tall * 0.85),
        fin,
    )
    a.pair(
        prism([(0.1, 0), (-0.15, 0.35), (-0.3, 0.3), (-0.15, 0)], 0.04, 0.01)
        .turned("x", -30)
        .at(0.2 * long, wide * 0.7, -0.1),
        fin,
    )
    _eyes(a, long * 0.62, tall * 0.2, wide * 0.75, rng.uniform(0.05, 0.09))
    a.add(ball(0.06, 0.14, 0.05).at(long * 0.97, 0, -0.05), a.plain(a.colors.accent))
    if rng.random() < 0.5:
        a.add(rod((0, 0, -tall - 0.3), (0, 0, -tall * 0.5), 0.03), a.of("metal"))
        a.add(cylinder(0.35, 0.08, 0.02).at(z=-tall - 0.34), a.of("wood"))


def insect(a: Assembly) -> None:
    """Beetle, bee, spider, crab or caterpillar: segments, repeated legs, feelers."""
    rng = a.rng
    body, dark = a.any(0.8), a.plain(a.colors.dark)
    segments = int(rng.integers(1, 6))
    r = rng.uniform(0.22, 0.36)
    step = r * rng.uniform(1.0, 1.5)
    pairs = int(rng.integers(2, 5))
    for k in range(segments):
        size = r * (1 - 0.08 * abs(k - segments / 2))
        a.add(ball(size * 1.05, size, size * rng.uniform(0.75, 1.0)).at(-k * step, 0, 0.32), body)
    back = -(segments - 1) * step
    for x in np.linspace(0.1, back - 0.1, pairs):
        knee = (float(x) * 1.15, r + 0.2, 0.42)
        a.pair(
            tube(
                [(float(x), r * 0.6, 0.28), knee, (float(x) * 1.3, r + rng.uniform(0.3, 0.4), 0.02)],
                0.035,
                smooth=2,
            ),
            dark,
        )
    head = r * 0.75
    a.add(ball(head).at(r + head * 0.5, 0, 0.36), dark if rng.random() < 0.5 else body)
    _eyes(a, r + head * 0.5, 0.45, head, 0.07)
    a.pair(
        tube([(r + head, 0.06, 0.5), (r + head + 0.15, 0.14, 0.75), (r + head + 0.3, 0.2, 0.8)], 0.02), dark
    )
    if rng.random() < 0.4:
        wing = a.finish(str(rng.choice(["dots", "gradient", "patches", "plain"])))
        a.pair(
            ball(0.25, 0.45, 0.03).turned("x", rng.uniform(15, 45)).turned("z", -20).at(-0.1, 0.42, 0.32 + r),
            wing,
        )


def snowman(a: Assembly) -> None:
    """Balls stacked by size, with a face, buttons, a hat and arms."""
    rng = a.rng
    body = a.any(0.3) if rng.random() < 0.5 else a.plain(_WHITE)
    radii = np.sort(rng.uniform(0.18, 0.5, int(rng.integers(2, 5))))[::-1]
    z = 0.0
    for k, r in enumerate(radii):
        z += r * (0.85 if k else 1.0)
        a.add(ball(float(r)).at(z=z), body)
        if 0 < k < len(radii) - 1 or (len(radii) == 2 and k == 0):
            button = a.plain(a.colors.dark)
            a.row(
                ball(0.04),
                button,
                [(float(r * np.cos(t)), 0, z + float(r * np.sin(t))) for t in (-0.3, 0.1, 0.5)],
            )
            side = (0, float(r) * 0.8, z + 0.1)
            a.pair(
                tube([side, (0, float(r) + 0.3, z + 0.2), (0.05, float(r) + 0.5, z + 0.4)], 0.03),
                a.of("wood"),
            )
        z += r * 0.85
    r = float(radii[-1])
    z -= r * 0.85
    _eyes(a, 0, z + 0.2 * r, r, 0.05)
    a.add(cone(0.06, 0.3, 12).turned("y", 90).at(r * 0.9, 0, z), a.plain(np.array([0.95, 0.5, 0.1])))
    _hat(a, z + 0.7 * r, r)


def _coat(a: Assembly) -> Finish:
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
    return a.finish(name, ground, a.colors.dark if rng.random() < 0.4 else _WHITE)


def _head(a: Assembly, skin: Finish, x: float, z: float, r: float, horns: bool) -> None:
    """Head with eyes, ears, and a snout, nose, trunk or mouth."""
    rng = a.rng
    dark = a.plain(_BLACK)
    a.add(ball(r, r * rng.uniform(0.85, 1.1), r * rng.uniform(0.85, 1.1), 0.9, 0.9).at(x, 0, z), skin)
    _eyes(a, x, z + 0.2 * r, r, rng.uniform(0.12, 0.25) * r)
    kind = rng.integers(4) if horns else rng.integers(3)
    if kind == 0:
        long = rng.uniform(0.25, 0.6) * r
        snout = skin if rng.random() < 0.5 else a.plain(_WHITE * 0.95)
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
            cone(0.1 * r, 0.7 * r, 10).turned("y", 75).at(x + 0.85 * r, 0.4 * r, z - 0.4 * r), a.plain(_WHITE)
        )
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


def _eyes(a: Assembly, x: float, z: float, r: float, size: float) -> None:
    """A pair of eyes on a ball of radius ``r`` about (x, 0, z); pupils look ahead."""
    yaw = np.radians(a.rng.uniform(22, 38))
    where = (x + r * 0.93 * np.cos(yaw), r * 0.93 * np.sin(yaw), z)
    if a.rng.random() < 0.6:
        a.pair(ball(size).at(*where), a.plain(_WHITE))
        a.pair(ball(size * 0.6).at(where[0] + size * 0.6, where[1] + size * 0.15, z), a.plain(_BLACK))
    else:
        a.pair(ball(size * 0.8).at(*where), a.plain(_BLACK))


def _hat(a: Assembly, z: float, r: float) -> None:
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
