"""Gadgets, bags and tools."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly, Finish
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import (
    ball,
    box,
    capsule,
    cylinder,
    prism,
    rod,
    torus,
    tube,
    upright,
)


def gadget(a: Assembly) -> None:
    """Radio, screen, oven, camera or clock: a box with a front panel, knobs and feet."""
    rng = a.rng
    depth, width, height = rng.uniform(0.15, 0.7), rng.uniform(0.7, 1.5), rng.uniform(0.5, 1.2)
    case, trim, dark = a.any(0.25), a.any(0.1), a.plain(a.colors.dark)
    a.add(box(depth, width, height, rng.uniform(0.01, 0.12), taper=rng.uniform(0.85, 1.0)), case)
    _add_front(a, depth / 2, width, height, trim, dark)
    count = int(rng.integers(0, 5))
    knob = upright(cylinder(0.045, 0.07, 0.01)).at(depth / 2 - 0.02, 0, height * 0.1)
    a.row(knob, trim, [(0, float(y), 0) for y in np.linspace(-0.35, 0.35, count) * width] if count else [])
    if rng.random() < 0.4:
        a.corners(cylinder(0.05, 0.12).at(depth * 0.35, width * 0.38, -0.1), dark)
    extra = rng.integers(3)
    if extra == 0:
        a.add(rod((0, 0.35 * width, height), (-0.1, 0.35 * width + 0.25, height + 0.6), 0.02), dark)
    elif extra == 1:
        a.add(
            tube(
                [
                    (0, -0.3 * width, height - 0.05),
                    (0, -0.25 * width, height + 0.22),
                    (0, 0.25 * width, height + 0.22),
                    (0, 0.3 * width, height - 0.05),
                ],
                0.035,
            ),
            dark,
        )


def _add_front(a: Assembly, front: float, width: float, height: float, trim: Finish, dark: Finish) -> None:
    """A screen, a lens, a clock or speakers."""
    rng = a.rng
    kind = rng.integers(4)
    if kind == 0:  # a screen
        screen = a.finish(
            str(rng.choice(["glyphs", "clouds", "windows", "plain"])),
            a.colors.dark,
            a.colors.light,
            a.colors.accent,
        )
        a.add(
            upright(box(height * 0.7, width * 0.75, 0.05, 0.01)).at(front - 0.02, 0, height * 0.52),
            screen,
            screen,
        )
    elif kind == 1:  # a lens
        r = 0.3 * min(width, height)
        for k, finish in enumerate((dark, trim, dark)):
            a.add(
                cylinder(r * (1 - 0.15 * k), 0.12 + 0.12 * k, 0.02)
                .turned("y", 90)
                .at(front - 0.02, 0, height * 0.48),
                finish,
            )
        a.add(
            ball(0.06, r * 0.6, r * 0.6).at(front + 0.32, 0, height * 0.48), a.plain(material(rng, "glass"))
        )
        a.add(box(0.15, 0.25 * width, 0.12, 0.02).at(0, 0, height - 0.02), trim)
    elif kind == 2:  # a clock
        dial = a.finish("dial", a.colors.light, a.colors.dark)
        a.add(
            upright(cylinder(0.38 * min(width, height), 0.05)).at(front - 0.02, 0, height * 0.5), dark, dial
        )
        a.pair(ball(0.16, 0.16, 0.1).at(0, 0.3 * width, height), trim)
    else:  # speakers
        mesh = a.finish("bulls-eye", a.colors.dark, a.colors.light)
        r = 0.28 * min(width * 0.8, height)
        a.pair(upright(cylinder(r, 0.05)).at(front - 0.02, 0.24 * width, height * 0.45), dark, mesh)
        a.add(
            upright(box(0.12, 0.4 * width, 0.04)).at(front - 0.01, 0, height * 0.86),
            a.finish("glyphs", a.colors.light, a.colors.dark),
        )


def bag(a: Assembly) -> None:
    """Bag, basket, suitcase or backpack with a handle and pockets."""
    rng = a.rng
    depth, width, height = rng.uniform(0.3, 0.5), rng.uniform(0.7, 1.1), rng.uniform(0.6, 1.2)
    cloth, trim = a.any(0.6), a.any(0.1)
    a.add(box(depth, width, height, 0.14, taper=rng.uniform(0.75, 1.05)), cloth)
    a.add(box(depth * 0.4, width * 0.7, height * 0.4, 0.06).at(depth * 0.45, 0, 0.08), trim)
    if rng.random() < 0.6:
        a.add(box(0.05, 0.12, 0.09, 0.01).at(depth * 0.64, 0, height * 0.38), a.of("metal"))
    y, top = 0.25 * width, height - 0.05
    a.add(tube([(0, -y, top), (0, -0.8 * y, top + 0.25), (0, 0.8 * y, top + 0.25), (0, y, top)], 0.04), trim)
    if rng.random() < 0.5:
        x = -depth / 2
        a.pair(
            tube(
                [
                    (x, y, height * 0.9),
                    (x - 0.25, y, height * 0.75),
                    (x - 0.2, y, 0.3 * height),
                    (x, y, 0.12),
                ],
                0.05,
                flat=0.5,
            ),
            trim,
        )
    elif rng.random() < 0.5:
        a.corners(
            upright(cylinder(0.07, 0.08)).turned("z", 90).at(depth * 0.3, width * 0.42, -0.02), a.of("rubber")
        )


def tool(a: Assembly) -> None:
    """Hammer, axe, sword, brush, spoon or screwdriver: a grip and a head, upright."""
    rng = a.rng
    length, r = rng.uniform(0.8, 1.4), rng.uniform(0.04, 0.08)
    grip = a.of("wood") if rng.random() < 0.6 else a.any(0.4)
    metal = a.of("metal")
    a.add(capsule(r, length), grip)
    kind = rng.integers(5)
    if kind == 0:
        a.add(box(0.2, 0.55, 0.2, 0.03).at(z=length - 0.12), metal)
        a.add(cylinder(0.12, 0.16, 0.03).turned("x", 90).at(0, -0.25, length - 0.02), metal)
    elif kind == 1:
        blade = prism(
            [(0.3, 0.12), (0.38, 0.55), (0.0, 0.45), (-0.38, 0.55), (-0.3, 0.12), (-0.12, 0.0), (0.12, 0.0)],
            0.07,
            0.02,
        )
        a.add(upright(blade).at(-0.035, 0, length - 0.15), metal)
    elif kind == 2:
        w = rng.uniform(0.07, 0.13)
        a.add(
            upright(prism([(1.2, 0), (1.0, w), (0, w), (0, -w), (1.0, -w)], 0.05, 0.015)).at(
                -0.025, 0, length * 0.55
            ),
            metal,
        )
        a.add(box(0.1, 0.45, 0.08, 0.02).at(z=length * 0.52), a.of("metal"))
        a.add(ball(0.09).at(z=0.02), a.plain(a.colors.accent))
    elif kind == 3:
        a.add(box(0.18, 0.4, 0.12, 0.02).at(z=length - 0.02), metal)
        a.add(
            box(0.14, 0.38, 0.25).tapered(1.1, 1.05).at(z=length + 0.08),
            a.finish("stripes", a.colors.light, a.colors.main),
        )
    else:
        a.add(ball(0.1, 0.26, 0.36).at(-0.02, 0, length + 0.22), metal)
    if rng.random() < 0.4:
        a.row(
            torus(r * 1.05, 0.015, sides=16),
            a.plain(a.colors.dark),
            [(0, 0, 0.12 + 0.06 * k) for k in range(int(rng.integers(2, 6)))],
        )
