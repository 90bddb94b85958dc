"""Buildings, plants, food and things that are stacked, repeated, twisted or knotted."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import (
    ball,
    box,
    capsule,
    cone,
    cylinder,
    heart,
    polygon,
    prism,
    revolved,
    rod,
    spline,
    star,
    torus,
    tube,
    upright,
)
from geco.data.procedural.shape import Shape, loft


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
        a.add(box(0.18, 0.18, rise + 0.15).at(rng.uniform(-0.3, 0.1) * depth, rng.choice([-1, 1]) * 0.28 * width, height), chimney)
    if rng.random() < 0.4:
        a.add(box(depth + 0.6, width + 0.6, 0.06, 0.02).at(0.1, 0, -0.06), a.of("leaf"))
        a.pair(ball(0.16).at(depth / 2 + 0.15, width / 2, 0.1), a.of("leaf"))


def tower(a: Assembly) -> None:
    """Castle, lighthouse, skyscraper or pagoda: floors stacked, smaller and smaller."""
    rng = a.rng
    floors, r, z = int(rng.integers(2, 6)), rng.uniform(0.4, 0.6), 0.0
    sides = int(rng.choice([4, 4, 6, 8, 32]))
    wall = a.finish(str(rng.choice(["windows", "bricks", "bands", "rings"])), a.colors.main, a.colors.dark, a.colors.light)
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
        a.add(cone(r * 1.25, rng.uniform(0.4, 0.9), max(sides, 4)).turned("z", 180 / sides).at(z=z), a.any(0.3))
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
        post = prism([(0, 0.4 * step), (height, 0.4 * step), (height + 0.12, 0), (height, -0.4 * step), (0, -0.4 * step)], 0.06)
        a.row(upright(post), wood, [(0, float(y), 0) for y in ys])
        for z in (0.25, 0.75):
            a.add(box(0.05, count * step, 0.08).at(-0.03, 0, z * height), wood)
    elif kind == 1:
        a.row(cylinder(0.3 * step, height, top=0.25 * step), wood, [(0, float(y), 0) for y in ys])
        a.row(box(0.7 * step, 0.7 * step, 0.08), wood, [(0, float(y), z) for y in ys for z in (-0.04, height - 0.04)])
        stone = a.of("stone")
        a.add(box(0.4, count * step, 0.14).at(z=height), stone)
        a.add(box(0.5, count * step + 0.1, 0.1).at(z=-0.12), stone)
        if rng.random() < 0.6:
            gable = prism([(0, count * step / 2), (0.4, 0), (0, -count * step / 2)], 0.4)
            a.add(upright(gable).at(-0.2, 0, height + 0.14), stone)
    else:
        a.pair(rod((0.25, 0.3, 0), (-0.1, 0.25, count * step), 0.045), wood)
        a.row(rod((0, -0.27, 0), (0, 0.27, 0), 0.03), wood, [(0.25 - 0.35 * k / count, 0, (k + 0.5) * step) for k in range(count)])
        if rng.random() < 0.5:
            a.pair(rod((-0.55, 0.3, 0), (-0.1, 0.25, count * step), 0.035), a.of("metal"))


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
    if kind == 0:  # round crown
        a.add(
            tube(
                [(0, 0, z - 0.05), (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), z + 0.5 * tall), (0, 0, z + tall)],
                [0.13, 0.09, 0.07],
            ),
            bark,
        )
        for _ in range(int(rng.integers(3, 8))):
            at = [*rng.normal(0, 0.2, 3), 0, 0, z + tall + 0.15]
            a.add(ball(rng.uniform(0.22, 0.4), upright=0.9, sides=16).at(*at), leaf)
        if rng.random() < 0.5:
            fruit = a.plain(material(rng, "fruit"))
            for _ in range(9):
                way = rng.normal(size=3)
                a.add(ball(0.06, sides=10).at(*(way / np.linalg.norm(way) * 0.45 + [0, 0, z + tall + 0.15])), fruit)
    elif kind == 1:  # fir
        levels = int(rng.integers(2, 6))
        a.add(cylinder(0.09, 0.4).at(z=z - 0.05), bark)
        for k in range(levels):
            a.add(cone(0.55 * (1 - 0.8 * k / levels), 0.55).at(z=z + 0.25 + 0.28 * k), leaf)
        if rng.random() < 0.4:
            a.add(
                upright(prism(star(5, 0.14, 0.06), 0.05)).at(-0.02, 0, z + 0.6 + 0.28 * levels), a.plain(np.array([0.95, 0.8, 0.2]))
            )
    elif kind == 2:  # cactus
        body = a.finish("stripes", material(rng, "leaf"), a.colors.light)
        r = rng.uniform(0.14, 0.24)
        a.add(capsule(r, tall + 0.4).at(z=z - 0.05), body)
        for side in (1, -1)[: int(rng.integers(1, 3))]:
            at = z + rng.uniform(0.25, 0.5) * tall
            a.add(
                tube(
                    [(0, side * r * 0.5, at), (0, side * (r + 0.2), at), (0, side * (r + 0.25), at + rng.uniform(0.25, 0.5))],
                    r * 0.6,
                ),
                body,
            )
        a.add(ball(0.1, 0.1, 0.07).at(z=z + tall + 0.36), a.plain(material(rng, "fruit")))
    elif kind == 3:  # flower
        a.add(tube([(0, 0, z - 0.05), (0.08, 0, z + 0.5 * tall), (0, 0, z + tall)], 0.035), leaf)
        a.pair(ball(0.22, 0.09, 0.025).turned("y", -30).turned("z", 70).at(0, 0.17, z + 0.4 * tall), leaf)
        petals, long = int(rng.integers(5, 13)), rng.uniform(0.2, 0.35)
        tilt = rng.uniform(-50, 10)
        blossom = a.any(0.1)
        head = [ball(long, 0.11, 0.03).at(long).turned("y", tilt).turned("z", 360 * k / petals) for k in range(petals)]
        lean = rng.uniform(0, 80)
        for petal in head:
            a.add(petal.turned("y", lean).at(0, 0, z + tall), blossom)
        a.add(
            ball(0.13, 0.13, 0.08).turned("y", lean).at(0, 0, z + tall + 0.01),
            a.finish("dots", np.array([0.9, 0.7, 0.15]), material(rng, "wood")),
        )
    elif kind == 4:  # palm
        lean = rng.uniform(-0.2, 0.2)
        a.add(
            tube([(0, 0, z - 0.05), (lean, 0, z + 0.5 * tall), (1.5 * lean, 0, z + tall + 0.3)], [0.11, 0.08, 0.07]),
            a.finish("rings", material(rng, "wood"), material(rng, "wood") * 0.7),
        )
        fronds = int(rng.integers(5, 10))
        for k in range(fronds):
            frond = tube([(0, 0, 0), (0.3, 0, 0.18), (0.65, 0, -0.15)], [0.05, 0.11, 0.02], flat=0.25).turned("z", 360 * k / fronds)
            a.add(frond.at(1.5 * lean, 0, z + tall + 0.3), leaf)
        a.around(ball(0.08).at(0.1), bark, 3)
    else:  # mushrooms
        cap = a.finish(str(rng.choice(["dots", "plain", "gradient", "speckles"])), a.colors.main, a.colors.light)
        for k in range(int(rng.integers(1, 4))):
            s, x, y = (
                (1.0, 0.0, 0.0) if k == 0 else (rng.uniform(0.35, 0.6), rng.uniform(-0.3, 0.4), (-1) ** k * rng.uniform(0.3, 0.5))
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
    rng = a.rng
    kind = rng.integers(4)
    if kind == 0:
        color = material(rng, "fruit")
        squash, waist = rng.uniform(0.8, 1.3), rng.uniform(0.3, 1.0)
        t = np.linspace(0, np.pi, 16)
        radius = 0.6 * np.sin(t) * (1 - 0.25 * (1 - waist) * (1 - np.cos(t)))
        height = -0.6 * squash * np.cos(t) + 0.22 * np.exp(-(((t) / 0.35) ** 2)) - 0.22 * np.exp(-(((t - np.pi) / 0.4) ** 2))
        finish = a.finish(
            str(rng.choice(["gradient", "speckles", "clouds", "stripes", "patches"])), color, color * rng.uniform(0.6, 0.95, 3)
        )
        a.add(revolved(np.stack([radius, height], axis=1)), finish)
        z = float(height[-1])
        a.add(tube([(0, 0, z - 0.05), (0.02, 0, z + 0.15), (0.08, 0, z + 0.3)], [0.03, 0.025, 0.035]), a.of("wood"))
        if rng.random() < 0.7:
            a.add(ball(0.2, 0.09, 0.02).turned("y", -25).at(0.2, 0, z + 0.18).turned("z", rng.uniform(0, 360)), a.of("leaf"))
    elif kind == 1:
        bun, z = a.finish("gradient", material(rng, "bread"), material(rng, "bread") * 0.8), 0.0
        a.add(cylinder(0.6, 0.2, 0.08), bun)
        z = 0.18
        for _ in range(int(rng.integers(2, 6))):
            h = rng.uniform(0.05, 0.14)
            layer = [material(rng, "fruit"), material(rng, "leaf"), material(rng, "wood") * 0.6, np.array([0.97, 0.78, 0.25])][
                rng.integers(4)
            ]
            shape = (
                box(1.05, 1.05, 0.04).turned("z", rng.uniform(0, 90))
                if rng.random() < 0.3
                else cylinder(rng.uniform(0.58, 0.68), h, 0.04)
            )
            a.add(shape.at(z=z), a.plain(layer))
            z += 0.04 if shape.size[1] < 0.05 else h * 0.9
        dome = [(0.4, 0.0), (0.62, 0.06), (0.55, 0.25), (0.3, 0.4), (0.02, 0.44)]
        a.add(revolved(spline(np.array(dome), 4), 32).at(z=z), a.finish("speckles", material(rng, "bread"), a.colors.light))
    elif kind == 2:
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
    else:
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
                shape = box(unit * 0.97, unit * 0.97, unit * 0.97, 0.02) if rng.random() < 0.75 else cylinder(0.47 * unit, unit)
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
    sections = np.stack([np.concatenate([outline * r, np.full((len(outline), 1), z)], axis=1) for r, z in zip(radii, levels)])
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
    arrow = [(0.5, 0), (0.0, 0.5), (0.0, 0.2), (-0.5, 0.2), (-0.5, -0.2), (0.0, -0.2), (0.0, -0.5)]
    cross = [
        (s * x, s * y)
        for s in (1, -1)
        for x, y in ((0.5, -0.17), (0.5, 0.17), (0.17, 0.17), (0.17, 0.5), (-0.17, 0.5), (-0.17, 0.17))
    ]
    outline = [
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
        a.add(upright(box(0.09, 0.35, 0.02)).at(0.245, 0, 0.075), a.finish("glyphs", a.colors.light, a.colors.dark))


def _lump(rng: np.random.Generator) -> Shape:
    """A random primitive about as wide as 1."""
    kind = rng.integers(8)
    h = rng.uniform(0.15, 0.6)
    if kind == 0:
        return box(rng.uniform(0.5, 1), rng.uniform(0.5, 1), h, rng.uniform(0, 0.15), taper=rng.uniform(0.6, 1.2))
    if kind == 1:
        return cylinder(rng.uniform(0.3, 0.5), h, rng.uniform(0, 0.1), top=rng.uniform(0.2, 0.5))
    if kind == 2:
        return ball(
            rng.uniform(0.3, 0.5), rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.45), rng.uniform(0.2, 1.6), rng.uniform(0.3, 1.5)
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
