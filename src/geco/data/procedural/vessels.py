"""Vessels: pots, vases, cups, teapots, bottles."""

from __future__ import annotations

import numpy as np

from geco.data.procedural.assembly import Assembly
from geco.data.procedural.outlines import smooth_profile, spline
from geco.data.procedural.palette import material
from geco.data.procedural.primitives import (
    ball,
    box,
    cylinder,
    revolved,
    tube,
)
from geco.types import Doubles


def vessel(a: Assembly) -> None:
    """Cup, bowl, vase, jug or pot: an open surface of revolution with an inner wall, perhaps
    handles and a spout.
    """
    rng = a.rng
    height, wall = rng.uniform(0.5, 1.7), rng.uniform(0.03, 0.06)
    count = int(rng.integers(3, 6))
    radii = np.abs(rng.uniform(0.28, 0.62, count)) * min(1.3, 0.7 + 0.3 / height)
    outer = spline(np.stack([radii, np.linspace(0, height, count)], axis=1), 6)
    outer[:, 0] = np.maximum(outer[:, 0], 0.14)
    inner = outer[::-1].copy()
    inner[:, 0] -= wall
    inner = inner[inner[:, 1] > 2 * wall]
    body = revolved(np.concatenate([outer, inner]))
    finish = a.any(0.6)
    a.add(body, finish)
    if rng.random() < 0.25:
        a.add(cylinder(float(outer[0, 0]) * 0.85, 0.06, edge=0.02).at(z=-0.05), a.plain(a.colors.dark))
    handles = rng.choice([0, 1, 2], p=[0.35, 0.4, 0.25])
    if handles:
        _handles(a, outer, int(handles), height)
    if handles < 2 and rng.random() < 0.25:
        z = rng.uniform(0.3, 0.5) * height
        x = float(np.interp(z, outer[:, 1], outer[:, 0])) * 0.85
        path = [
            (x, 0, z),
            (x + 0.2, 0, z + 0.08),
            (x + 0.32, 0, z + 0.3 * height),
            (x + 0.45, 0, z + 0.42 * height),
        ]
        a.add(
            tube(path, [0.11, 0.09, 0.06, 0.05], rounded=False).turned("z", 0 if not handles else 90), finish
        )
    if rng.random() < 0.25:
        _lid(a, float(outer[-1, 0]), height)
    elif rng.random() < 0.3:
        for _ in range(int(rng.integers(2, 6))):
            x, y = rng.uniform(-0.5, 0.5, 2) * inner[0, 0]
            tip = (2.5 * x, 2.5 * y, height + rng.uniform(0.4, 0.9))
            a.add(tube([(x, y, 0.3 * height), (1.4 * x, 1.4 * y, height), tip], 0.025, sides=8), a.of("leaf"))
            a.add(
                ball(rng.uniform(0.08, 0.16), upright=rng.uniform(0.6, 1.4)).at(*tip),
                a.plain(material(rng, "fruit")),
            )


def teapot(a: Assembly) -> None:
    """A closed pot with lid, spout in front and handle behind."""
    rng = a.rng
    z, r = rng.uniform(0.35, 0.6), rng.uniform(0.5, 0.65)
    body = a.any(0.6)
    a.add(ball(r, r, z, upright=rng.uniform(0.7, 1.1)), body)
    a.add(cylinder(r * 0.6, 0.06, edge=0.02).at(z=-z), body)
    path = [
        (r * 0.8, 0, -0.2 * z),
        (r + 0.18, 0, 0),
        (r + 0.3, 0, 0.5 * z),
        (r + rng.uniform(0.35, 0.5), 0, 0.85 * z),
    ]
    a.add(tube(path, [0.15, 0.11, 0.08, 0.06], rounded=False), body)
    trim = a.any(0.1)
    if rng.random() < 0.6:
        w = rng.uniform(0.3, 0.5)
        a.add(
            tube(
                [
                    (-r * 0.75, 0, 0.55 * z),
                    (-r - w, 0, 0.6 * z),
                    (-r - w, 0, -0.3 * z),
                    (-r * 0.8, 0, -0.45 * z),
                ],
                0.06,
            ),
            trim,
        )
    else:
        a.add(
            tube(
                [
                    (r * 0.6, 0, 0.7 * z),
                    (0.5 * r, 0, z + 0.5),
                    (-0.5 * r, 0, z + 0.5),
                    (-r * 0.6, 0, 0.7 * z),
                ],
                0.05,
            ),
            trim,
        )
    a.add(ball(r * 0.5, r * 0.5, 0.14).at(z=z * 0.93), trim)
    a.add(ball(0.09).at(z=z + 0.16), trim)


def bottle(a: Assembly) -> None:
    """Bottle, jar or can with a cap and a label."""
    rng = a.rng
    r, h, neck = rng.uniform(0.22, 0.42), rng.uniform(0.7, 1.3), rng.uniform(0.08, 0.2)
    shoulder, top = h * rng.uniform(0.6, 0.85), h + rng.uniform(0.1, 0.4)
    profile = [
        (0.8 * r, 0),
        (r, 0.06),
        (r, shoulder),
        (0.8 * r, shoulder + 0.3 * (h - shoulder)),
        (neck, h),
        (neck, top),
    ]
    body = revolved(smooth_profile(profile), 32)
    if rng.random() < 0.4:
        body = body.scaled(rng.uniform(0.45, 0.7), 1, 1)
    name = str(rng.choice(["label", "label", "bands", "plain", "gradient"]))
    a.add(body, a.finish(name, a.colors.main, a.colors.light, a.colors.accent))
    cap = a.plain(a.colors.second)
    a.add(cylinder(neck * 1.25, rng.uniform(0.1, 0.22), edge=0.02).at(z=top - 0.05), cap)
    if rng.random() < 0.2:
        a.add(box(0.3, 0.12, 0.06, 0.02).at(0.12, 0, top + 0.1), cap)


def _handles(a: Assembly, outer: Doubles, count: int, height: float) -> None:
    low, high = a.rng.uniform(0.15, 0.35) * height, a.rng.uniform(0.6, 0.9) * height
    near = [float(np.interp(z, outer[:, 1], outer[:, 0])) - 0.02 for z in (low, high)]
    out = max(near) + a.rng.uniform(0.15, 0.35)
    handle = tube(
        [(0, near[0], low), (0, out, low + 0.1 * height), (0, out, high - 0.05 * height), (0, near[1], high)],
        a.rng.uniform(0.035, 0.06),
    )
    finish = a.parts[-1][1] if a.rng.random() < 0.6 else a.any(0.1)
    if count == 2:
        a.pair(handle, finish)
    else:
        a.add(handle, finish)


def _lid(a: Assembly, radius: float, height: float) -> None:
    rise = a.rng.uniform(0.05, 0.3)
    finish = a.any(0.3)
    a.add(
        revolved(
            smooth_profile(
                [
                    (radius * 1.06, height - 0.02),
                    (radius * 1.02, height + 0.04),
                    (radius * 0.6, height + 0.7 * rise),
                    (0.05, height + rise),
                ]
            )
        ),
        finish,
    )
    a.add(ball(a.rng.uniform(0.05, 0.1)).at(z=height + rise + 0.04), finish)
