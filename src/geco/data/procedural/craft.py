"""Things that fly and float, heading towards +x."""

from __future__ import annotations

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import ball, box, cone, cylinder, hull, prism, rod, torus, upright
from geco.data.procedural.shape import Shape
from geco.data.procedural.vehicles import wheel


def plane(a: Assembly) -> None:
    """An aircraft: fuselage, wings, tail, propellers or jets."""
    rng = a.rng
    length, r, up = rng.uniform(1.6, 2.1), rng.uniform(0.14, 0.26), rng.uniform(0, 0.12)
    half = length / 2
    body, wing, trim = a.any(0.3), a.any(0.3), a.plain(a.colors.dark)
    stations = [
        (-half, 0.03, up + 0.05, up + 0.12),
        (-0.5 * half, 0.6 * r, up - 0.4 * r, r),
        (0, r, -r, r),
        (0.6 * half, 0.95 * r, -r, 0.9 * r),
    ]
    a.add(
        hull([*stations, (0.9 * half, 0.6 * r, -0.65 * r, 0.5 * r), (half, 0.1, -0.12, 0.06)], square=1.0),
        body,
    )
    span, chord, sweep = rng.uniform(0.7, 1.1), rng.uniform(0.25, 0.5), rng.uniform(-0.1, 0.5)
    height = rng.choice([-0.5, 0.0, 0.85]) * r
    outline = [(chord / 2, 0), (chord / 2 - sweep, span), (-0.1 * chord - sweep, span), (-chord / 2, 0)]
    flat = prism([(x + 0.1, y) for x, y in outline], 0.05, 0.015).at(0, 0, height)
    a.pair(flat, wing)
    if rng.random() < 0.2:
        a.pair(flat.at(0, 0, 0.45), wing)
        a.pair(
            rod(
                (0.05 - 0.4 * sweep, 0.5 * span, height),
                (0.05 - 0.4 * sweep, 0.5 * span, height + 0.48),
                0.02,
            ),
            trim,
        )
    a.pair(
        prism([(0.15, 0), (-0.05, 0.38), (-0.2, 0.38), (-0.15, 0)], 0.04, 0.01).at(
            -half + 0.15, 0, up + 0.05
        ),
        wing,
    )
    a.add(_sheet([(0.0, 0.18), (0.4, 0.22), (0.4, 0.06), (0.0, -0.2)]).at(-half + 0.22, 0, up + 0.07), wing)
    a.add(ball(0.22, 0.7 * r, 0.14).at(0.5 * half, 0, 0.85 * r), a.plain(material(rng, "glass")))
    if rng.random() < 0.5:
        a.add(cone(0.09, 0.16, 16).turned("y", 90).at(half - 0.02, 0, -0.03), trim)
        blade = box(0.03, 0.07, 0.32, 0.01)
        for k in range(int(rng.integers(2, 5))):
            a.add(blade.turned("x", 90 * k).at(half + 0.03, 0, -0.03), a.of("wood"))
    else:
        a.pair(cylinder(0.1, 0.4, 0.02, top=0.08).turned("y", -90).at(0.3, 0.45 * span, height - 0.08), trim)
    if rng.random() < 0.5:
        a.pair(rod((0.1, 0.12, -0.6 * r), (0.12, 0.25, -r - 0.22), 0.025), trim)
        a.pair(wheel(0.09, 0.06).at(0.12, 0.25, -r - 0.25), trim)


def boat(a: Assembly) -> None:
    """Ship, sailing boat or rowing boat."""
    rng = a.rng
    half, width, depth = rng.uniform(0.8, 1.1), rng.uniform(0.3, 0.45), rng.uniform(0.3, 0.45)
    paint, deck = (
        a.finish(
            str(rng.choice(["bands", "plain", "planks", "rings"])),
            a.colors.main,
            a.colors.light,
            a.colors.second,
        ),
        a.of("wood"),
    )
    rows = [
        (-half, 0.65, 0.15, 1.0),
        (-0.5 * half, 0.95, 0, 0.97),
        (0.3 * half, 1.0, 0, 1.0),
        (0.75 * half, 0.6, 0.08, 1.08),
    ]
    a.add(
        hull(
            [(x, width * w, depth * lo, depth * hi) for x, w, lo, hi in rows]
            + [(half, 0.03, depth * 0.6, depth * 1.2)],
            square=0.65,
        ),
        paint,
    )
    a.add(box(1.3 * half, width * 1.5, 0.05, 0.01).at(-0.12 * half, 0, depth * 0.92), deck)
    if rng.random() < 0.5:
        _add_sails(a, half, depth)
    else:
        _add_decks(a, half, width, depth)


def _add_sails(a: Assembly, half: float, depth: float) -> None:
    rng = a.rng
    tall, mast = rng.uniform(1.0, 1.6), a.of("wood")
    a.add(rod((0.1, 0, depth * 0.8), (0.1, 0, depth + tall), 0.035, 0.02), mast)
    sail = a.finish(str(rng.choice(["plain", "rings", "stripes", "label"])), a.colors.light, a.colors.accent)
    a.add(_sheet([(0, 0.1), (tall * 0.92, 0.1), (0, 0.75)]).at(0.05, 0, depth + 0.12), sail)
    a.add(_sheet([(0, -0.1), (tall * 0.75, -0.1), (0, -half * 0.8)]).at(0.15, 0, depth + 0.12), sail)
    a.add(rod((0.1, 0, depth + 0.12), (-0.7, 0, depth + 0.12), 0.025), mast)


def _add_decks(a: Assembly, half: float, width: float, depth: float) -> None:
    """Decks with windows, funnels and lifebelts."""
    rng = a.rng
    z, x = depth, -0.25 * half
    size = rng.uniform(0.5, 0.8)
    wall = a.finish(str(rng.choice(["windows", "plain"])), a.colors.light, a.colors.dark, a.colors.accent)
    for level in range(int(rng.integers(1, 4))):
        a.add(box(size * (1 - 0.22 * level), width * 1.2 * (1 - 0.2 * level), 0.24, 0.02).at(x, 0, z), wall)
        z += 0.22
    for k in range(int(rng.integers(1, 3))):
        a.add(
            cylinder(0.09, 0.35).at(x - 0.05 - 0.22 * k, 0, z - 0.03),
            a.finish("bands", a.colors.accent, a.colors.dark, a.colors.light),
        )
    a.pair(
        torus(0.08, 0.025, sides=16).turned("x", 90).at(0.35 * half, width * 0.98, depth * 0.75),
        a.finish("stripes", a.colors.light, a.colors.accent),
    )


def rocket(a: Assembly) -> None:
    """A rocket with fins, standing."""
    rng = a.rng
    r, height = rng.uniform(0.22, 0.35), rng.uniform(0.9, 1.4)
    body, trim = a.any(0.6), a.any(0.1)
    a.add(cylinder(r * rng.uniform(0.75, 1.0), height, top=r).at(z=0.2), body)
    a.add(ball(r, r, rng.uniform(0.35, 0.7), upright=rng.uniform(0.9, 1.5)).at(z=0.2 + height), trim)
    fin = prism([(0.05, -0.1), (0.75, -0.05), (0.25, 0.35), (-0.15, 0.38)], 0.05, 0.015)
    a.around(upright(fin).at(-0.025, -r * 0.6, 0.2), trim, int(rng.integers(3, 5)), 45)
    a.add(cylinder(r * 0.7, 0.18, top=r * 0.4).at(z=0.06), a.of("metal"))
    for k in range(int(rng.integers(1, 3))):
        z = 0.2 + height * (0.75 - 0.3 * k)
        a.add(torus(0.11, 0.035).turned("y", 90).at(r * 0.95, 0, z), a.of("metal"))
        a.add(ball(0.05, 0.1, 0.1).at(r * 0.95, 0, z), a.plain(material(rng, "glass")))


def _sheet(outline: list[tuple[float, float]]) -> Shape:
    """(height, distance behind) corners to a thin upright plate in the xz plane."""
    return upright(prism(outline, 0.03, 0.005)).at(-0.015).turned("z", -90)
