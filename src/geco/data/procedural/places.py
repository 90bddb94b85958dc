"""Buildings and things that stand in a row."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.outlines import polygon
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, box, cone, cylinder, prism, rod, upright


def house(a: Assembly) -> None:
    """Cottage, barn or shop: walls, roof, door, windows, chimney."""
    rng = a.rng
    depth, width, height = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.5), rng.uniform(0.5, 1.1)
    wall = a.finish(str(rng.choice(["bricks", "planks", "plain", "speckles"])), a.colors.main, a.colors.light)
    roof = a.finish(str(rng.choice(["scales", "bricks", "plain", "rings"])), a.colors.second, a.colors.dark)
    trim, glass = a.plain(a.colors.light), a.plain(material(rng, "glass"))
    a.add(box(depth, width, height), wall)
    kind, rise, over = rng.integers(3), rng.uniform(0.35, 0.8), rng.uniform(1.08, 1.25)
    if kind == 0:
        a.add(box(depth * over, width * over, rise, taper=0.02).at(z=height), roof)
    elif kind == 1:  # a gable over the front
        gable = prism([(0, width / 2 * over), (rise, 0), (0, -width / 2 * over)], depth * over)
        a.add(upright(gable).at(-depth / 2 * over, 0, height), roof)
    else:  # ridge parallel to the front
        gable = prism([(0, depth / 2 * over), (rise, 0), (0, -depth / 2 * over)], width * over)
        a.add(upright(gable).turned("z", 90).at(0, -width / 2 * over, height), roof)
    door = rng.uniform(-0.3, 0.3) * width
    a.add(box(0.06, 0.24, min(0.45, 0.7 * height)).at(depth / 2, door), a.of("wood"))
    a.add(ball(0.025).at(depth / 2 + 0.04, door + 0.07, 0.22), a.of("metal"))
    for y in np.linspace(-0.36, 0.36, int(rng.integers(2, 5))) * width:
        if abs(y - door) > 0.26:
            a.add(box(0.04, 0.2, 0.24).at(depth / 2, float(y), height * 0.45), trim)
            a.add(box(0.06, 0.15, 0.19).at(depth / 2, float(y), height * 0.45 + 0.025), glass)
    for x in np.linspace(-0.3, 0.3, 2) * depth:
        a.pair(box(0.2, 0.04, 0.24).at(float(x), width / 2, height * 0.45), trim)
        a.pair(box(0.15, 0.06, 0.19).at(float(x), width / 2, height * 0.45 + 0.025), glass)
    if rng.random() < 0.6:
        chimney = a.finish("bricks", a.colors.accent, a.colors.light)
        a.add(
            box(0.18, 0.18, rise + 0.15).at(
                rng.uniform(-0.3, 0.1) * depth, rng.choice([-1, 1]) * 0.28 * width, height
            ),
            chimney,
        )
    if rng.random() < 0.4:
        a.add(box(depth + 0.6, width + 0.6, 0.06, 0.02).at(0.1, 0, -0.06), a.of("leaf"))
        a.pair(ball(0.16).at(depth / 2 + 0.15, width / 2, 0.1), a.of("leaf"))


def tower(a: Assembly) -> None:
    """Castle, lighthouse, skyscraper or pagoda: floors stacked, smaller and smaller."""
    rng = a.rng
    floors, r, z = int(rng.integers(2, 6)), rng.uniform(0.4, 0.6), 0.0
    sides = int(rng.choice([4, 4, 6, 8, 32]))
    wall = a.finish(
        str(rng.choice(["windows", "bricks", "bands", "rings"])), a.colors.main, a.colors.dark, a.colors.light
    )
    trim = a.any(0.1)
    shrink, pagoda = rng.uniform(0.72, 0.97), rng.random() < 0.35
    for _ in range(floors):
        h = rng.uniform(0.25, 0.55)
        a.add(prism(polygon(sides, r), h).turned("z", 0).at(z=z), wall, trim)
        z += h
        if pagoda:
            a.add(prism(polygon(sides, r * 1.4), 0.18).tapered(0.6).at(z=z - 0.02), trim)
            z += 0.12
        else:
            a.add(prism(polygon(sides, r * 1.08), 0.06).at(z=z - 0.03), trim)
        r *= shrink
    top = rng.integers(4)
    if top == 0:
        a.add(
            cone(r * 1.25, rng.uniform(0.4, 0.9), max(sides, 4)).turned("z", 180 / sides).at(z=z), a.any(0.3)
        )
    elif top == 1:
        merlons = 8
        a.around(box(0.12, 0.12, 0.16).at(r * 0.98, 0, z), wall, merlons)
    elif top == 2:
        a.add(ball(r * 0.9).at(z=z), a.any(0.3))
        a.add(rod((0, 0, z), (0, 0, z + r + 0.4), 0.025), trim)
    else:
        a.add(rod((0, 0, z - 0.1), (0, 0, z + 0.6), 0.025), a.of("metal"))
        a.add(upright(box(0.22, 0.35, 0.03)).turned("z", 90).at(0, 0.02, z + 0.48), a.any(0.5))
    if rng.random() < 0.4:
        base, tall = rng.uniform(0.8, 1.1), rng.uniform(0.5, 0.9)
        spire = cylinder(0.17, tall).at(base * 0.75, base * 0.75)
        a.corners(spire, wall)
        a.corners(cone(0.22, 0.35, 16).at(base * 0.75, base * 0.75, tall), a.any(0.2))
        a.add(box(base * 1.5, base * 1.5, tall * 0.6), wall)


def fence(a: Assembly) -> None:
    """Fence, gate, ladder, bridge or colonnade: one thing repeated along a line."""
    rng = a.rng
    count, step = int(rng.integers(4, 9)), rng.uniform(0.16, 0.3)
    wood, height = (a.of("wood") if rng.random() < 0.6 else a.any(0.2)), rng.uniform(0.5, 1.0)
    ys = (np.arange(count) - (count - 1) / 2) * step
    kind = rng.integers(3)
    if kind == 0:
        post = prism(
            [
                (0, 0.4 * step),
                (height, 0.4 * step),
                (height + 0.12, 0),
                (height, -0.4 * step),
                (0, -0.4 * step),
            ],
            0.06,
        )
        a.row(upright(post), wood, [(0, float(y), 0) for y in ys])
        for z in (0.25, 0.75):
            a.add(box(0.05, count * step, 0.08).at(-0.03, 0, z * height), wood)
    elif kind == 1:
        a.row(cylinder(0.3 * step, height, top=0.25 * step), wood, [(0, float(y), 0) for y in ys])
        a.row(
            box(0.7 * step, 0.7 * step, 0.08),
            wood,
            [(0, float(y), z) for y in ys for z in (-0.04, height - 0.04)],
        )
        stone = a.of("stone")
        a.add(box(0.4, count * step, 0.14).at(z=height), stone)
        a.add(box(0.5, count * step + 0.1, 0.1).at(z=-0.12), stone)
        if rng.random() < 0.6:
            gable = prism([(0, count * step / 2), (0.4, 0), (0, -count * step / 2)], 0.4)
            a.add(upright(gable).at(-0.2, 0, height + 0.14), stone)
    else:
        a.pair(rod((0.25, 0.3, 0), (-0.1, 0.25, count * step), 0.045), wood)
        a.row(
            rod((0, -0.27, 0), (0, 0.27, 0), 0.03),
            wood,
            [(0.25 - 0.35 * k / count, 0, (k + 0.5) * step) for k in range(count)],
        )
        if rng.random() < 0.5:
            a.pair(rod((-0.55, 0.3, 0), (-0.1, 0.25, count * step), 0.035), a.of("metal"))
