"""The pieces of procedural objects against formulas: volumes, directions, charts, colours,
patterns that close.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.data.procedural import outlines, palette, primitives
from geco.data.procedural.assembly import Assembly
from geco.data.procedural.patterns import PATTERNS
from geco.data.procedural.shape import Shape
from geco.mesh.texture import sample_texture

RED, BLUE = np.array([0.9, 0.1, 0.1]), np.array([0.1, 0.1, 0.9])

VOLUMES = [
    (primitives.box(1, 2, 3), 6.0, 1e-9),
    (primitives.box(1, 2, 3, 0.1), 6.0, 0.05),
    (primitives.cylinder(0.5, 2, sides=64), 0.5 * np.pi, 0.005),
    (primitives.cylinder(0.5, 3, top=0.2, sides=64), np.pi * (0.25 + 0.1 + 0.04), 0.005),
    (primitives.cone(0.5, 3, 64), 0.25 * np.pi, 0.005),
    (primitives.ball(1, 2, 0.5, sides=60), 4 / 3 * np.pi, 0.01),
    (primitives.torus(1, 0.2, sides=64), 2 * np.pi**2 * 0.04, 0.04),
    (primitives.capsule(0.5, 3, 64), np.pi * 0.25 * (2 + 2 / 3), 0.02),
    (
        primitives.tube([(0, 0, 0), (0, 0, 1), (0, 0, 2)], 0.3, sides=64, rounded=False),
        0.09 * np.pi * 2,
        0.005,
    ),
    (primitives.prism(outlines.polygon(6, 1.0), 2.0), 3 * np.sqrt(3), 1e-9),
    (primitives.revolved([(0.5, 0), (0.5, 1)], 64), np.pi / 4, 0.005),
]


@pytest.mark.parametrize(("shape", "volume", "tolerance"), VOLUMES)
def test_volumes(shape: Shape, volume: float, tolerance: float) -> None:
    assert shape.volume() == pytest.approx(volume, rel=tolerance)


@settings(max_examples=25, deadline=None)
@given(st.floats(-120, 120), st.floats(-90, 90), st.floats(-1, 1), st.floats(0.5, 2), st.sampled_from("xyz"))
def test_moves_keep_the_volume(twist: float, bend: float, shear: float, scale: float, axis: str) -> None:
    tall = np.linspace(0, 2, 41)
    shape = primitives.revolved(np.stack([np.full(41, 0.3), tall], axis=1), 32)
    whole = shape.volume()
    assert shape.twisted(twist).volume() == pytest.approx(whole, rel=0.01)
    assert shape.sheared(shear, -shear).volume() == pytest.approx(whole, rel=1e-6)
    # Pappus: the centre line keeps its length
    assert shape.bent(bend).volume() == pytest.approx(whole, rel=0.01)
    assert shape.turned(axis, bend).at(1, 2, 3).mirrored().volume() == pytest.approx(whole, rel=1e-6)
    assert shape.scaled(scale, 1, 2).volume() == pytest.approx(2 * scale * whole, rel=1e-6)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.1))
def test_toward_and_rod_point_where_asked(direction: tuple[float, float, float]) -> None:
    unit = np.array(direction) / np.linalg.norm(direction)
    tip = primitives.cone(0.01, 1.0).toward(direction).vertices
    np.testing.assert_allclose(tip[(tip @ unit).argmax()], unit, atol=1e-6)
    rod = primitives.rod((1, 2, 3), tuple(np.array([1, 2, 3]) + unit), 0.1).vertices - [1, 2, 3]
    along = rod @ unit
    assert along.min() == pytest.approx(0, abs=1e-6) and along.max() == pytest.approx(1, abs=1e-6)


def test_the_middle_of_the_chart_faces_the_front_and_its_top_is_up() -> None:
    for shape in (primitives.cylinder(0.5, 1), primitives.box(1, 1, 1, 0.1), primitives.ball(1)):
        side = ~shape.ends
        front = side & (np.abs(shape.uvs[:, 0] - 0.5) < 0.13)  # a box has no corner nearer to the middle
        assert front.any() and (shape.vertices[front, 0] >= -1e-9).all()
        assert np.corrcoef(shape.uvs[side, 1], shape.vertices[side, 2])[0, 1] < -0.8
        right = side & (np.abs(shape.uvs[:, 0] - 0.6) < 0.06)
        # +y is on the right of the front's picture: marks are not mirrored
        assert (shape.vertices[right, 1] >= -1e-9).all()


def test_upright_plates_look_to_the_front() -> None:
    plate = primitives.upright(primitives.prism([(0, -1), (2, 0), (0, 1)], 0.1))
    assert plate.volume() == pytest.approx(0.2)
    np.testing.assert_allclose(np.ptp(plate.vertices, axis=0), [0.1, 2, 2], atol=1e-9)
    assert plate.vertices[plate.vertices[:, 2].argmax(), 1] == pytest.approx(0, abs=1e-9)


def test_sides_and_ends_get_their_own_colours() -> None:
    assembly = Assembly(np.random.default_rng(0))
    side, end = assembly.finish("plain", RED, RED), assembly.finish("plain", BLUE, BLUE)
    assembly.add(primitives.cylinder(0.5, 1), side, end)
    mesh = assembly.mesh()
    assert mesh.texture is not None and mesh.uvs is not None
    colors = sample_texture(mesh.texture, mesh.uvs[mesh.faces].mean(axis=1))
    normal = mesh.face_normals()
    flat = np.abs(normal[:, 2]) > 0.9 * np.linalg.norm(normal, axis=1)
    np.testing.assert_allclose(colors[flat], np.tile(BLUE, (flat.sum(), 1)), atol=0.05)
    np.testing.assert_allclose(colors[~flat], np.tile(RED, ((~flat).sum(), 1)), atol=0.05)
    assert 20 < flat.sum() < len(flat)


# Not: the label (its panels end before the seam), pictures of an end, and cells of random content (the seam
# is between two).
@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"label", "bulls-eye", "dial", "windows", "glyphs"}))
def test_patterns_close_around_the_surface(name: str) -> None:
    u, v = np.meshgrid(np.linspace(0.003, 0.997, 61), np.linspace(0.003, 0.997, 61))
    colors = [RED, BLUE, np.array([0.5, 0.9, 0.2])]
    pictures = [PATTERNS[name](np.random.default_rng(4), turn, v, (2.0, 1.0), colors) for turn in (u, u + 1)]
    assert np.mean(np.abs(pictures[0] - pictures[1]).max(axis=2) > 1e-6) < 0.01
    assert pictures[0].min() >= -1e-9 and pictures[0].max() <= 1 + 1e-9
    if name != "plain":
        assert pictures[0].std(axis=(0, 1)).max() > 0.02


def test_oklch() -> None:
    np.testing.assert_allclose(palette.oklch(1, 0, 0), [1, 1, 1], atol=1e-3)
    np.testing.assert_allclose(palette.oklch(0.62796, 0.25768, 29.234), [1, 0, 0], atol=0.02)  # sRGB's red
    rng = np.random.default_rng(0)
    for _ in range(50):
        colors = palette.palette(rng)
        values = np.stack([colors.main, colors.second, colors.accent, colors.dark, colors.light])
        assert values.min() >= 0 and values.max() <= 1
        assert colors.light.mean() - colors.dark.mean() > 0.4
