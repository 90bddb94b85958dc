"""Things that roll, driving towards +x."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, box, cone, cylinder, hull, rod, torus, tube
from geco.data.procedural.shape import Shape


def car(a: Assembly) -> None:
    """Car, van, bus or truck."""
    rng = a.rng
    length, width, ground = rng.uniform(1.5, 2.2), rng.uniform(0.75, 1.0), rng.uniform(0.15, 0.3)
    low, high = rng.uniform(0.28, 0.4), rng.uniform(0.25, 0.6)
    paint, glass = a.any(0.25), a.plain(material(rng, "glass") * rng.choice([1.0, 0.45]))
    half, w = length / 2, width / 2
    a.add(
        hull(
            [
                (-half, w * 0.9, ground + 0.04, ground + low),
                (-half + 0.08, w, ground, ground + low + 0.03),
                (half - 0.3, w, ground, ground + low),
                (half - 0.06, w * 0.95, ground + 0.02, ground + low * 0.8),
                (half, w * 0.8, ground + 0.06, ground + low * 0.6),
            ],
            square=rng.uniform(0.25, 0.5),
        ),
        paint,
    )
    top = ground + low - 0.05
    _add_cabin(a, paint, glass, half, width, top, high)
    wheels(a, half * 0.62, w, rng.uniform(0.16, 0.26) if ground < 0.25 else 0.27, ground)
    a.pair(
        ball(0.05, 0.08, 0.07).at(half - 0.03, w * 0.6, ground + low * 0.5),
        a.plain(np.array([1.0, 0.95, 0.75])),
    )
    a.pair(
        box(0.04, 0.12, 0.07, 0.01).at(-half, w * 0.6, ground + low * 0.5),
        a.plain(np.array([0.75, 0.1, 0.1])),
    )
    a.add(box(0.08, width * 0.9, 0.09, 0.02).at(half - 0.02, 0, ground + 0.01), a.of("rubber"))
    if rng.random() < 0.3:
        a.add(cylinder(0.06, 0.09, 0.02).at(0, 0, top + high), a.plain(a.colors.accent))


def _add_cabin(
    a: Assembly, paint: Finish, glass: Finish, half: float, width: float, top: float, high: float
) -> None:
    """Of a saloon, a van or bus, a pick-up, or a truck with a load; on ``top``, ``high``."""
    rng, w = a.rng, width / 2
    kind = rng.integers(4)
    start, end = ((-0.55, 0.35), (-0.92, 0.75), (-0.15, 0.45), (0.25, 0.85))[kind]
    size = (end - start) * half
    cabin = hull(
        [
            (start * half, w * 0.86, top, top + 0.1),
            (start * half + 0.18 * size, w * 0.84, top, top + high),
            (end * half - 0.3 * size, w * 0.84, top, top + high),
            (end * half, w * 0.86, top, top + 0.08),
        ],
        square=0.4,
    )
    a.add(cabin, paint if kind == 1 else glass)
    if kind == 1:
        panes = int(rng.integers(2, 6))
        for x in np.linspace(start + 0.28, end - 0.3, panes) * half:
            a.pair(
                box(0.6 * size / panes, 0.04, high * 0.4, 0.01).at(float(x), w * 0.83, top + high * 0.45),
                glass,
            )
    else:
        a.add(
            box(size * 0.5, width * 0.78, 0.05, 0.02).at(
                (start + end) / 2 * half - 0.03, 0, top + high - 0.02
            ),
            paint,
        )
    if kind == 3:
        a.add(
            box(half * 1.16, width * 0.95, rng.uniform(0.4, 0.9), 0.02).at(-0.4 * half, 0, top + 0.02),
            a.any(0.6),
        )
    elif kind == 2:
        a.pair(box(0.8 * half, 0.05, 0.15).at(-0.55 * half, w * 0.9, top), paint)
        a.add(ball(0.3, 0.28, 0.2).at(-0.55 * half, 0, top + 0.1), a.of("wood"))


def train(a: Assembly) -> None:
    """A toy locomotive, perhaps with a wagon."""
    rng = a.rng
    body, trim, dark = a.any(0.3), a.any(0.2), a.of("rubber")
    r, length = rng.uniform(0.25, 0.35), rng.uniform(0.7, 1.0)
    a.add(box(length + 0.8, 0.6, 0.15, 0.02).at(-0.1, 0, 0.25), dark)
    a.add(cylinder(r, length, 0.03).turned("y", 90).at(-0.1, 0, 0.4 + r), body, trim)
    for x in np.linspace(0.05, length - 0.15, int(rng.integers(1, 4))):
        a.add(torus(r, 0.025, 0.04).turned("y", 90).at(-0.1 + float(x), 0, 0.4 + r), trim)
    a.add(cylinder(0.09, 0.35, top=rng.uniform(0.09, 0.16)).at(length * 0.65, 0, 0.38 + 2 * r), dark)
    a.add(ball(0.11).at(length * 0.2, 0, 0.4 + 2 * r), trim)
    a.add(box(0.5, 0.62, 0.75, 0.02).at(-0.35, 0, 0.4), body)
    a.pair(box(0.25, 0.04, 0.22).at(-0.35, 0.3, 0.78), a.plain(material(rng, "glass")))
    a.add(box(0.65, 0.75, 0.07, 0.02).at(-0.35, 0, 1.15), trim)
    a.add(cone(0.25, 0.25, 12).turned("y", 110).at(length + 0.12, 0, 0.18), trim)
    for x in np.linspace(-0.42, length * 0.8, int(rng.integers(2, 4))):
        a.pair(
            wheel(0.19, 0.08).at(float(x), 0.3, 0.19),
            trim,
            a.finish("bulls-eye", a.colors.dark, a.colors.accent),
        )
    if rng.random() < 0.5:
        load = a.any(0.5)
        a.add(box(0.8, 0.6, 0.4, 0.02).at(-1.15, 0, 0.25), load)
        a.pair(wheel(0.15, 0.08).at(-0.95, 0.28, 0.15), dark)
        a.pair(wheel(0.15, 0.08).at(-1.4, 0.28, 0.15), dark)
        a.row(
            ball(0.14),
            a.of("stone"),
            [(-1.15 + dx, dy, 0.68) for dx in (-0.22, 0, 0.22) for dy in (-0.15, 0.15)],
        )


def wheels(a: Assembly, x: float, y: float, radius: float, ground: float) -> None:
    """Two axles of wheels at +-x, their hubs outside."""
    rubber, hub = a.of("rubber"), a.finish("bulls-eye", a.colors.dark, a.colors.light)
    shape = wheel(radius, 0.14).at(0, y - 0.06, radius + min(ground - 0.2, 0))
    for at in (x, -x):
        a.pair(shape.at(at), rubber, hub)


def bicycle(a: Assembly) -> None:
    """Two spoked wheels, a frame of tubes, saddle and handlebar."""
    rng = a.rng
    r, base = rng.uniform(0.36, 0.46), rng.uniform(0.5, 0.62)
    frame, rubber, metal = a.any(0.1), a.of("rubber"), a.of("metal")
    for x in (-base, base):
        a.add(torus(r, 0.05).turned("x", 90).at(x, 0, r), rubber)
        a.add(cylinder(0.06, 0.14).turned("x", 90).at(x, 0.07, r), metal)
        for k in range(6):
            angle = np.pi * k / 6
            dx, dz = r * np.cos(angle), r * np.sin(angle)
            a.add(rod((x - dx, 0, r - dz), (x + dx, 0, r + dz), 0.012, sides=6), metal)
    crank, seat, head = (-0.1, 0, r * 0.9), (-0.25, 0, r + 0.55), (base - 0.2, 0, r + 0.6)
    for start, end in (
        (crank, seat),
        (crank, head),
        (seat, head),
        (crank, (-base, 0, r)),
        (seat, (-base, 0, r)),
        (head, (base, 0, r)),
    ):
        a.add(rod(start, end, 0.035), frame)
    a.add(ball(0.18, 0.1, 0.06).at(-0.27, 0, r + 0.62), a.plain(a.colors.dark))
    a.pair(
        tube(
            [
                (head[0], 0, head[2] + 0.02),
                (head[0], 0.12, head[2] + 0.14),
                (head[0] - 0.12, 0.3, head[2] + 0.16),
            ],
            0.028,
        ),
        metal,
    )
    if rng.random() < 0.4:
        a.add(box(0.3, 0.35, 0.25, 0.02, taper=1.2).at(base, 0, r + 0.55), a.of("wood"))


def wheel(radius: float, width: float) -> Shape:
    """Standing, its outer end on +y."""
    return cylinder(radius, width, 0.03).turned("x", -90)
