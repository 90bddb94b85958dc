"""Chairs, tables, cupboards and lamps."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.outlines import smooth_profile
from geco.data.procedural.primitives import ball, box, cylinder, revolved, rod, tube


def chair(a: Assembly) -> None:
    """Chair, stool, bench or sofa."""
    rng = a.rng
    depth, width, seat = (
        rng.uniform(0.7, 1.0),
        rng.choice([0.8, 0.9, 1.7]) * rng.uniform(0.9, 1.1),
        rng.uniform(0.4, 0.8),
    )
    frame = a.of(str(rng.choice(["wood", "wood", "metal"]))) if rng.random() < 0.7 else a.any(0.1)
    cloth = a.any(0.6) if rng.random() < 0.6 else frame
    thick = rng.uniform(0.06, 0.22)
    a.add(box(depth, width, thick, 0.03).at(z=seat), cloth)
    x, y, r = depth / 2 - 0.08, width / 2 - 0.08, rng.uniform(0.03, 0.07)
    splay = rng.uniform(0, 0.1)
    if rng.random() < 0.5:
        a.corners(rod((x + splay, y + splay, 0), (x, y, seat + 0.02), r * 0.7, r), frame)
    else:
        a.corners(box(2 * r, 2 * r, seat + 0.02, 0.01).at(x, y), frame)
    if rng.random() < 0.3:
        a.pair(rod((x, y, seat * 0.35), (-x, y, seat * 0.35), r * 0.6), frame)
    kind = _add_back(a, frame, cloth, (depth, width), r, seat, thick)
    if kind and rng.random() < 0.4:
        arm = rng.uniform(0.2, 0.35)
        a.pair(box(depth, 0.1, 0.07, 0.02).at(0, width / 2 - 0.02, seat + thick + arm), cloth)
        a.pair(box(0.08, 0.08, arm + thick, 0.01).at(x, width / 2 - 0.02, seat), frame)
    if kind and rng.random() < 0.25:
        a.add(
            ball(0.1, 0.25, 0.25, 0.6, 0.6).at(
                -depth / 2 + 0.2, rng.uniform(-0.2, 0.2) * width, seat + thick + 0.2
            ),
            a.any(0.9),
        )


def _add_back(
    a: Assembly, frame: Finish, cloth: Finish, size: tuple[float, float], r: float, seat: float, thick: float
) -> int:
    """A chair's back over its seat of ``size`` (depth, width): which kind, 0 for none."""
    rng, (depth, width) = a.rng, size
    x, y = depth / 2 - 0.08, width / 2 - 0.08
    back = rng.uniform(0.5, 1.0)
    kind = int(rng.integers(4))  # none, a slab, upright bars, level slats
    lean = -rng.uniform(0, 0.15)
    if kind == 1:
        a.add(box(0.1, width, back, 0.04).sheared(lean).at(-depth / 2 + 0.05, 0, seat + thick), cloth)
    elif kind:
        a.pair(box(2 * r, 2 * r, back, 0.01).sheared(lean).at(-x, y, seat + thick * 0.5), frame)
        bars = int(rng.integers(2, 6))
        if kind == 2:
            bar = box(0.04, 0.06, back - 0.08).sheared(lean).at(-x, 0, seat + thick * 0.5)
            a.row(bar, frame, [(0, float(t), 0) for t in np.linspace(-y, y, bars + 2)[1:-1]])
            a.add(box(0.1, width, 0.12, 0.03).at(-x + lean, 0, seat + thick * 0.5 + back - 0.1), frame)
        else:
            for t in np.linspace(0.3, 0.95, bars):
                a.add(
                    box(0.05, width - 0.12, 0.4 * back / bars, 0.015).at(
                        -x + t * lean, 0, seat + thick * 0.5 + t * back - 0.08
                    ),
                    frame,
                )
    return kind


def table(a: Assembly) -> None:
    """Table or desk, with things upon it."""
    rng = a.rng
    round_top = rng.random() < 0.35
    depth, width, height, thick = (
        rng.uniform(0.8, 1.2),
        rng.uniform(1.0, 1.9),
        rng.uniform(0.5, 1.0),
        rng.uniform(0.04, 0.12),
    )
    wood = a.of(str(rng.choice(["wood", "wood", "wood", "stone"])))
    legs = wood if rng.random() < 0.6 else a.of("metal")
    if round_top:
        a.add(cylinder(width / 2, thick, 0.02).at(z=height), wood, wood)
        if rng.random() < 0.5:
            a.add(
                revolved(
                    smooth_profile(
                        [
                            (0.35 * width, 0),
                            (0.3 * width, 0.06),
                            (0.06, 0.15),
                            (rng.uniform(0.05, 0.14), 0.6 * height),
                            (0.1, height),
                        ]
                    )
                ),
                legs,
            )
        else:
            a.around(
                rod((0.4 * width, 0, 0), (0.2 * width, 0, height), 0.04), legs, int(rng.integers(3, 5)), 45
            )
    else:
        a.add(box(depth, width, thick, 0.015).at(z=height), wood)
        x, y = depth / 2 - 0.08, width / 2 - 0.1
        if rng.random() < 0.6:
            a.corners(box(0.09, 0.09, height, taper=rng.uniform(0.7, 1.3)).at(x, y), legs)
        else:
            a.pair(box(depth * 0.85, 0.07, height).at(0, y), legs)
        if rng.random() < 0.5:
            a.add(box(depth * 0.8, 0.5 * width, 0.22, 0.01).at(0, 0.2 * width, height - 0.21), wood)
            a.add(ball(0.035).at(0.41 * depth, 0.2 * width, height - 0.1), a.of("metal"))
    _add_things(a, depth, width, height + thick)


def _add_things(a: Assembly, depth: float, width: float, top: float) -> None:
    """What lies on a table."""
    rng = a.rng
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-0.28, 0.28) * depth, rng.uniform(-0.35, 0.35) * width
        item = [
            cylinder(0.09, 0.2, 0.01),
            box(0.2, 0.28, 0.07, 0.01),
            ball(0.12).at(z=0.12),
            box(0.04, 0.4, 0.3, 0.01),
        ][rng.integers(4)]
        a.add(item.at(x, y, top), a.any(0.6))


def cabinet(a: Assembly) -> None:
    """Shelf, cupboard or chest of drawers."""
    rng = a.rng
    depth, width, height = rng.uniform(0.35, 0.7), rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.8)
    wood, knob = (a.of("wood") if rng.random() < 0.6 else a.any(0.2)), a.of("metal")
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    if rng.random() < 0.5:
        a.add(box(depth, width, height, 0.02), wood)
        front = a.any(0.3)
        for row in range(rows):
            for column in range(columns):
                y, z = ((column + 0.5) / columns - 0.5) * width, (row + 0.06) / rows * height
                a.add(
                    box(0.05, 0.88 * width / columns, 0.88 * height / rows, 0.015).at(depth / 2, y, z), front
                )
                a.add(ball(0.035).at(depth / 2 + 0.06, y, z + 0.44 * height / rows), knob)
    else:
        a.add(box(0.03, width, height).at(-depth / 2), wood)
        a.pair(box(depth, 0.05, height).at(0, width / 2), wood)
        a.row(box(depth, width, 0.05), wood, [(0, 0, float(z)) for z in np.linspace(0, height, rows + 2)])
        books = [a.any(0.5) for _ in range(3)]
        for z in np.linspace(0, height, rows + 2)[:-1]:
            y = -width / 2 + 0.1
            while y < width / 2 - 0.15 and rng.random() < 0.85:
                thick, tall = rng.uniform(0.05, 0.14), rng.uniform(0.5, 0.8) * height / (rows + 1)
                a.add(box(depth * 0.7, thick, tall).at(0, y + thick / 2, z + 0.05), books[rng.integers(3)])
                y += thick + (0 if rng.random() < 0.7 else 0.15)
    if rng.random() < 0.5:
        a.corners(cylinder(0.03, 0.15, top=0.045).at(depth / 2 - 0.08, width / 2 - 0.08, -0.15), knob)


def lamp(a: Assembly) -> None:
    """Table or floor lamp: base, stem, shade."""
    rng = a.rng
    height, r = rng.uniform(0.7, 1.6), rng.uniform(0.25, 0.5)
    metal = a.of("metal") if rng.random() < 0.5 else a.any(0.2)
    a.add(revolved(smooth_profile([(rng.uniform(0.25, 0.4), 0), (0.3, 0.05), (0.08, 0.1)])), metal)
    shade = a.any(0.6)
    if rng.random() < 0.6:
        stem = [
            (0.05, 0.05),
            *((rng.uniform(0.03, 0.2), t * height) for t in (0.3, 0.5, 0.7)),
            (0.03, height),
        ]
        a.add(revolved(smooth_profile(stem), 20), metal)
        a.add(cylinder(r, rng.uniform(0.35, 0.6), top=r * rng.uniform(0.4, 1.0)).at(z=height - 0.1), shade)
    else:
        reach = rng.uniform(0.3, 0.7)
        a.add(
            tube([(0, 0, 0.05), (-0.3 * reach, 0, 0.5 * height), (0, 0, height), (reach, 0, height)], 0.035),
            metal,
        )
        a.add(cylinder(r * 0.9, 0.35, top=0.1).toward((-0.5, 0, 1)).at(reach + 0.15, 0, height - 0.22), shade)
        a.add(ball(0.12).at(reach + 0.1, 0, height - 0.14), a.plain(a.colors.light))
