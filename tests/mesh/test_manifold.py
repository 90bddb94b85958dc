"""The report against hand-counted shapes, and make_watertight against the report and against trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import MeshError
from geco.mesh import Mesh
from geco.mesh.manifold import manifold_report
from geco.mesh.watertight import make_watertight
from tests.mesh.shapes import area, box, sphere, together, torus, turned, volume, without


def _check(mesh: Mesh) -> None:
    """Watertight by our report, and still so after trimesh has welded equal positions."""
    assert manifold_report(mesh).manifold
    other = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    assert other.is_watertight and other.is_winding_consistent and other.is_volume
    assert len(other.vertices) == len(mesh.vertices)
    assert np.isfinite(mesh.vertices).all()


def test_report_of_sound_shapes() -> None:
    for mesh, euler in (
        (sphere(2), 2),
        (box(), 2),
        (torus(), 0),
        (together(box(), sphere(1, 0.1, (2, 0, 0))), 4),
    ):
        report = manifold_report(mesh)
        assert report.manifold and report.watertight and report.euler == euler
        assert report.volume == pytest.approx(volume(mesh), rel=1e-6)
    assert manifold_report(box()).volume == pytest.approx(1.0)
    assert manifold_report(turned(box())).volume == pytest.approx(-1.0)


def test_report_counts_each_fault() -> None:
    open_box = without(box(), np.arange(12) == 0)
    assert (manifold_report(open_box).boundary_edges, manifold_report(open_box).watertight) == (3, False)

    one_turned = box()
    one_turned.faces[0] = one_turned.faces[0, ::-1]
    report = manifold_report(one_turned)
    assert (
        report.inconsistent_edges,
        report.nonmanifold_edges,
        report.boundary_edges,
        report.nonmanifold_vertices,
    ) == (3, 0, 0, 0)
    assert not report.watertight

    fin = box()
    fin = Mesh(
        np.concatenate([fin.vertices, [[2, 2, 2]]]), np.concatenate([fin.faces, [[*fin.faces[0, :2], 8]]])
    )
    assert (manifold_report(fin).nonmanifold_edges, manifold_report(fin).boundary_edges) == (1, 2)

    touching = _at_a_vertex()
    report = manifold_report(touching)
    assert report.watertight and not report.manifold and report.nonmanifold_vertices == 1
    assert manifold_report(_at_an_edge()).nonmanifold_edges == 1
    assert not manifold_report(Mesh(np.zeros((0, 3)), np.zeros((0, 3)))).watertight


def test_report_of_welded_positions() -> None:
    whole = torus()
    soup = Mesh(whole.triangles.reshape(-1, 3), np.arange(3 * len(whole.faces)))
    assert not manifold_report(soup).watertight
    report = manifold_report(soup, weld=True)
    assert report.manifold and report.euler == 0 and report.volume == pytest.approx(volume(whole), rel=1e-6)


@pytest.mark.parametrize("mesh", [sphere(2), torus(), box()], ids=["sphere", "torus", "box"])
def test_sound_shapes_are_left_alone_and_turned_ones_turned(mesh: Mesh) -> None:
    np.testing.assert_array_equal(make_watertight(mesh).faces, mesh.faces)
    back = make_watertight(turned(mesh))
    assert volume(back) == pytest.approx(volume(mesh)) and manifold_report(back).manifold


def test_touching_boxes_come_apart() -> None:
    for mesh in (_at_a_vertex(), _at_an_edge()):
        fixed = make_watertight(mesh)
        _check(fixed)
        assert len(fixed.vertices) == 16 and manifold_report(fixed).euler == 4
        assert volume(fixed) == pytest.approx(2.0, rel=1e-3)


def test_a_pinched_edge_within_one_surface_gets_a_middle_vertex() -> None:
    """A block with two opposite corner bricks of its middle layer missing: the other two touch along an edge
    whose ends have one fan each, so that giving fans their own vertices does not separate the edge.
    """
    cells = {(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1, 2)} - {(0, 0, 1), (1, 1, 1)}
    mesh = _voxels(cells)
    assert manifold_report(mesh).nonmanifold_edges == 1
    fixed = make_watertight(mesh)
    _check(fixed)
    assert len(fixed.vertices) == len(mesh.vertices) + 1
    assert volume(fixed) == pytest.approx(10.0, rel=1e-3)


@given(st.sets(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_heap_of_voxels_becomes_manifold_with_the_same_volume(cells: set[tuple[int, int, int]]) -> None:
    mesh = _voxels(cells)
    fixed = make_watertight(mesh)
    _check(fixed)
    assert volume(fixed) == pytest.approx(len(cells), rel=2e-3)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.03, 0.2, 0.5, 0.8]))
@settings(max_examples=30, deadline=None)
def test_punched_spheres(seed: int, fraction: float) -> None:
    rng = np.random.default_rng(seed)
    whole = sphere(3)
    fixed = make_watertight(without(whole, rng.random(len(whole.faces)) < fraction))
    _check(fixed)
    assert manifold_report(fixed).volume > 0
    if fraction == 0.03:
        assert volume(fixed) == pytest.approx(volume(whole), rel=0.02)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_anything_with_a_volume_becomes_watertight(seed: int) -> None:
    """Missing faces, turned faces, faces across the inside: the result is a solid all the same."""
    rng = np.random.default_rng(seed)
    mesh = torus(16, 8) if seed % 2 else sphere(2)
    faces = mesh.faces[rng.random(len(mesh.faces)) > rng.choice([0.0, 0.1, 0.4])]
    turn = rng.random(len(faces)) < rng.choice([0.0, 0.1, 0.5])
    faces = np.where(turn[:, None], faces[:, ::-1], faces)
    extra = rng.integers(0, len(mesh.vertices), (int(rng.choice([0, 4, 30])), 3))
    fixed = make_watertight(Mesh(mesh.vertices, np.concatenate([faces, extra])))
    _check(fixed)
    assert manifold_report(fixed).volume > 0


def test_turned_faces_are_turned_back() -> None:
    mesh = torus()
    turn = np.random.default_rng(0).random(len(mesh.faces)) < 0.4
    fixed = make_watertight(mesh.with_(faces=np.where(turn[:, None], mesh.faces[:, ::-1], mesh.faces)))
    assert len(fixed.faces) == len(mesh.faces) and manifold_report(fixed).euler == 0
    assert volume(fixed) == pytest.approx(volume(mesh), rel=1e-6)


def test_cavities_stay_and_solids_beside_are_turned() -> None:
    cavity = together(sphere(3, 0.8), turned(sphere(2, 0.3)))
    expected = volume(sphere(3, 0.8)) - volume(sphere(2, 0.3))
    assert volume(make_watertight(cavity)) == pytest.approx(expected, rel=1e-5)
    assert volume(make_watertight(turned(cavity))) == pytest.approx(expected, rel=1e-5)
    # Inside the box of the other but not inside it: a ring with a ball in its hole.
    ring, ball = torus(48, 24, 0.6, 0.25), sphere(2, 0.2)
    assert volume(make_watertight(together(ring, turned(ball)))) == pytest.approx(
        volume(ring) + volume(ball), rel=1e-5
    )


def test_a_moebius_band_is_closed_into_a_solid() -> None:
    n = 24
    angle = np.arange(n) * 2 * np.pi / n
    width = np.array([-0.2, 0.2])[:, None]
    ring = 0.7 + width * np.cos(angle / 2)
    points = np.stack(
        [ring * np.cos(angle), ring * np.sin(angle), width * np.sin(angle / 2)], axis=-1
    ).reshape(-1, 3)
    low, high = np.arange(n), np.arange(n) + n
    next_low, next_high = np.append(low[1:], high[0]), np.append(high[1:], low[0])  # half a turn
    band = Mesh(
        points, np.concatenate([np.stack([low, next_low, next_high], 1), np.stack([low, next_high, high], 1)])
    )
    _check(make_watertight(band))


def test_flat_things_are_refused() -> None:
    for faces in ([[0, 1, 2]], [[0, 1, 2], [2, 1, 0]], np.zeros((0, 3), int)):
        with pytest.raises(MeshError):
            make_watertight(Mesh(np.eye(3), faces))


def test_colours_survive_and_seams_are_welded() -> None:
    whole = sphere(3)
    soup = Mesh(whole.triangles.reshape(-1, 3), np.arange(3 * len(whole.faces)))
    soup.colors = soup.vertices * 0.5 + 0.5
    soup.uvs, soup.texture = np.zeros((len(soup.vertices), 2), np.float32), np.zeros((4, 4, 3), np.uint8)
    fixed = make_watertight(soup)
    assert manifold_report(fixed).manifold and fixed.uvs is None and fixed.texture is None
    np.testing.assert_allclose(fixed.colors, fixed.vertices * 0.5 + 0.5, atol=1e-6)
    assert area(fixed) == pytest.approx(area(whole), rel=1e-6)


def _at_a_vertex() -> Mesh:
    """Two unit boxes with one common vertex."""
    return _voxels({(0, 0, 0), (1, 1, 1)})


def _at_an_edge() -> Mesh:
    """Two unit boxes with one common edge."""
    return _voxels({(0, 0, 0), (1, 1, 0)})


def _voxels(cells: set[tuple[int, int, int]]) -> Mesh:
    """The outside of a heap of unit cubes, vertices shared wherever cubes touch."""
    unit = box((0, 0, 0), (1, 1, 1))
    corners, faces = unit.vertices.astype(int), unit.faces
    normals = np.rint(unit.face_normals()).astype(int)
    number: dict[tuple[int, ...], int] = {}
    found = []
    for cell in sorted(cells):
        for face, normal in zip(faces, normals):
            if tuple(int(i) for i in np.add(cell, normal)) not in cells:
                found.append(
                    [number.setdefault(tuple(int(i) for i in corners[v] + cell), len(number)) for v in face]
                )
    return Mesh(np.array(list(number), np.float32), np.array(found))
