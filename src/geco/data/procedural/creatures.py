"""Animals and figures: mirrored left and right, looking towards +x."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.creature_parts import WHITE, add_eyes, add_hat, add_head, coat_of
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, box, capsule, cone, cylinder, rod, tube, upright


def quadruped(a: Assembly) -> None:
    """Dog, cow, elephant, lion, giraffe: body, four legs, neck, head, ears, tail."""
    rng = a.rng
    long, wide, thick = rng.uniform(0.45, 0.75), rng.uniform(0.22, 0.4), rng.uniform(0.24, 0.42)
    legs, neck = rng.uniform(0.25, 0.75), rng.choice([0.12, 0.2, 0.35, 0.75], p=[0.35, 0.35, 0.2, 0.1])
    fur, dark = coat_of(a), a.plain(a.colors.dark)
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
    add_head(a, fur, x + 0.1, z + 0.08, head, horns=True)
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
    skin = a.any(0.2) if robot else (coat_of(a) if rng.random() < 0.5 else a.plain(material(rng, "skin")))
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
        add_head(a, skin, 0.0, z, head, horns=False)
        add_hat(a, z + head * 0.55, head)


def snowman(a: Assembly) -> None:
    """Balls stacked by size, with a face, buttons, a hat and arms."""
    rng = a.rng
    body = a.any(0.3) if rng.random() < 0.5 else a.plain(WHITE)
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
    add_eyes(a, 0, z + 0.2 * r, r, 0.05)
    a.add(cone(0.06, 0.3, 12).turned("y", 90).at(r * 0.9, 0, z), a.plain(np.array([0.95, 0.5, 0.1])))
    add_hat(a, z + 0.7 * r, r)
