"""Birds, fish and insects."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.creature_parts import add_eyes, coat_of
from geco.data.procedural.primitives import ball, box, cone, cylinder, prism, rod, tube


def bird(a: Assembly) -> None:
    """Duck, owl, chicken or parrot: egg body, beak, wings, two thin legs."""
    rng = a.rng
    coat, beak = coat_of(a), a.plain(np.array([0.95, rng.uniform(0.45, 0.75), 0.15]))
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
    add_eyes(a, top[0], top[1] + 0.05, r, rng.uniform(0.03, 0.06))
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
    add_eyes(a, long * 0.62, tall * 0.2, wide * 0.75, rng.uniform(0.05, 0.09))
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
    add_eyes(a, r + head * 0.5, 0.45, head, 0.07)
    a.pair(
        tube([(r + head, 0.06, 0.5), (r + head + 0.15, 0.14, 0.75), (r + head + 0.3, 0.2, 0.8)], 0.02), dark
    )
    if rng.random() < 0.4:
        wing = a.finish(str(rng.choice(["dots", "gradient", "patches", "plain"])))
        a.pair(
            ball(0.25, 0.45, 0.03).turned("x", rng.uniform(15, 45)).turned("z", -20).at(-0.1, 0.42, 0.32 + r),
            wing,
        )
