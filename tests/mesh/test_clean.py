"""Cleaning: what must go goes, what must stay stays, and closed surfaces stay closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import MeshError
from geco.graph import connected_components
from geco.mesh import Mesh
from geco.mesh.clean import drop_degenerate, fill_holes, merge_close, remove_floaters
from geco.mesh.manifold import manifold_report
from geco.mesh.topology import weld_groups
from tests.mesh.shapes import area, box, sphere, together, torus, turned, volume, without


@given(st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_connected_components_against_a_search(count: int, data: st.DataObject) -> None:
    links = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=80))
    a, b = (np.array([link[i] for link in links], np.int64) for i in (0, 1))
    label = connected_components(count, a, b)
    neighbours: dict[int, set[int]] = {i: set() for i in range(count)}
    for x, y in links:
        neighbours[x].add(y)
        neighbours[y].add(x)
    for node in range(count):
        seen, stack = {node}, [node]
        while stack:
            for other in neighbours[stack.pop()] - seen:
                seen.add(other)
                stack.append(other)
        assert label[node] == min(seen)


def test_a_long_path_is_one_component() -> None:
    order = np.random.default_rng(0).permutation(5000)
    assert (connected_components(5000, order[:-1], order[1:]) == 0).all()


def test_weld_groups_are_exactly_the_equal_positions() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(-3, 3, (2000, 3)).astype(np.float32) / 7
    points[::5] *= -1.0  # makes negative zeros
    _, first, inverse = np.unique(points + 0.0, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(weld_groups(points), first[inverse.ravel()])
    nan = np.full((3, 3), np.nan, np.float32)
    np.testing.assert_array_equal(weld_groups(nan), [0, 1, 2])


def test_a_triangle_soup_welds_to_the_closed_surface() -> None:
    whole = torus()
    soup = Mesh(whole.triangles.reshape(-1, 3), np.arange(3 * len(whole.faces)))
    assert manifold_report(soup).boundary_edges == 3 * len(whole.faces)
    jitter = np.random.default_rng(0).uniform(-2e-7, 2e-7, soup.vertices.shape)
    for mesh, tolerance in ((soup, 0.0), (soup.with_(vertices=soup.vertices + jitter), 1e-6)):
        welded = merge_close(mesh, tolerance)
        report = manifold_report(welded)
        assert report.manifold and report.euler == 0 and len(welded.vertices) == len(whole.vertices)
        assert volume(welded) == pytest.approx(volume(whole), rel=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_merge_close_joins_every_close_pair_and_no_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.permutation(1000)[:60]
    anchors = np.stack([cells // 100, cells // 10 % 10, cells % 10], axis=1) / 10.0
    owner = rng.integers(0, len(anchors), 300)
    # Copies lie within half the tolerance of their anchor, anchors further apart than many tolerances.
    offset = rng.normal(size=(300, 3))
    offset *= 0.49e-3 * rng.random((300, 1)) / np.linalg.norm(offset, axis=1, keepdims=True)
    points = (anchors[owner] + offset).astype(np.float32)
    span = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    merged = merge_close(Mesh(points, np.arange(300)), tolerance=1e-3 / span)
    corners = owner.reshape(-1, 3)
    kept = [row for row in corners if len(set(row)) == 3]
    assert len(merged.faces) == len(kept)
    assert len(merged.vertices) == len(np.unique(kept))


def test_drop_degenerate_leaves_a_sound_mesh_alone() -> None:
    mesh = sphere(3)
    assert drop_degenerate(mesh) is mesh


def test_drop_degenerate_removes_everything_unusable() -> None:
    good = sphere(2)
    count = len(good.vertices)
    vertices = np.concatenate([good.vertices, [[np.nan, 0, 0], [0, np.inf, 0], [0.1, 0.1, 0.1]]]).astype(
        np.float32
    )
    colors = np.linspace(0, 1, 3 * len(vertices), dtype=np.float32).reshape(-1, 3)
    a, b, c = good.faces[5]
    # not finite, repeated corners, a copy turned round
    bad = [[0, 1, count], [count + 1, 2, 3], [4, 4, 7], [b, c, a], [0, 0, 0]]
    dirty = Mesh(vertices, np.concatenate([good.faces, bad]), colors=colors)
    clean = drop_degenerate(dirty)
    np.testing.assert_array_equal(clean.faces, good.faces)
    np.testing.assert_array_equal(clean.vertices, good.vertices)
    np.testing.assert_array_equal(clean.colors, colors[:count])


def test_flat_and_tiny_triangles_go_without_opening_the_surface() -> None:
    mesh = box()
    # A point on an edge, in one of its two faces only cut in: a flat triangle closes the T-junction.
    a, b = mesh.faces[0, 0], mesh.faces[0, 1]
    c = mesh.faces[0, 2]
    middle = len(mesh.vertices)
    vertices = np.concatenate([mesh.vertices, [(mesh.vertices[a] + mesh.vertices[b]) / 2]])
    faces = np.concatenate([mesh.faces[1:], [[a, middle, c], [middle, b, c], [a, b, middle]]])
    cut = Mesh(vertices, faces)
    assert manifold_report(cut).manifold
    fixed = drop_degenerate(cut)
    assert manifold_report(fixed).manifold and len(fixed.faces) == 14
    assert _lowest(fixed) > 0.1
    assert volume(fixed) == pytest.approx(1.0)

    # Two vertices a hair apart: the edge between them and its two slivers vanish.
    near = vertices.copy()
    near[middle] = mesh.vertices[a] + [0, 0, 1e-7]
    split = Mesh(near, faces)
    joined = drop_degenerate(split)
    assert (
        manifold_report(joined).manifold
        and len(joined.faces) == 12
        and volume(joined) == pytest.approx(1.0, rel=1e-6)
    )


def test_drop_degenerate_of_nothing() -> None:
    empty = Mesh(np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(drop_degenerate(empty).faces) == 0
    point = Mesh(np.zeros((3, 3)), [[0, 1, 2]])
    assert len(drop_degenerate(point).faces) == 0


def test_floaters_go_by_area() -> None:
    big, middle, small = sphere(3), sphere(2, 0.2, (1.5, 0, 0)), sphere(1, 0.02, (0, 1.5, 0))
    mixed = together(small, big, middle)
    kept = remove_floaters(mixed, 0.02)  # areas 1, 1/16, 1/1600
    assert area(kept) == pytest.approx(area(big) + area(middle), rel=1e-6)
    assert len(kept.vertices) == len(big.vertices) + len(middle.vertices)
    assert area(remove_floaters(mixed, 1.0)) == pytest.approx(area(big), rel=1e-6)
    assert remove_floaters(mixed, 0.0) is mixed


def test_cavities_go_only_if_asked_and_only_if_turned() -> None:
    shell = together(sphere(3, 0.8), turned(sphere(2, 0.3)))
    assert volume(remove_floaters(shell)) == pytest.approx(volume(sphere(3, 0.8)), rel=1e-5)
    assert remove_floaters(shell, drop_inner=False) is shell
    solid = together(sphere(3, 0.8), sphere(2, 0.3))
    assert remove_floaters(solid) is solid
    inverted = turned(shell)
    assert len(remove_floaters(inverted).faces) == len(sphere(3).faces)
    sheet = without(turned(sphere(2, 0.3)), np.arange(128) < 60)  # open, so not a cavity
    assert len(remove_floaters(together(sphere(3, 0.8), sheet), 0.01).faces) == len(sphere(3).faces) + 68


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_every_hole_of_a_punched_sphere_closes(seed: int, fraction: float) -> None:
    whole = sphere(3)
    dropped = np.random.default_rng(seed).random(len(whole.faces)) < fraction
    punched = remove_floaters(without(whole, dropped), 1.0)
    filled = fill_holes(punched, max_edges=10_000)
    report = manifold_report(filled)
    edges = np.sort(punched.faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    _, inverse, faces_at = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    # triangles that hang on by a vertex alone have no hole
    lone = (faces_at[inverse.reshape(-1, 3)] == 1).all(axis=1).sum()
    assert report.boundary_edges == 3 * lone and report.inconsistent_edges == 0
    np.testing.assert_array_equal(filled.faces[: len(punched.faces)], punched.faces)
    if fraction < 0.05:
        assert report.volume == pytest.approx(volume(whole), rel=0.05)


def test_only_small_holes_close_and_attributes_follow() -> None:
    whole = sphere(3)
    centres = whole.triangles.mean(axis=1)
    big = centres[:, 2] > 0.55
    small = np.zeros(len(whole.faces), bool)
    lowest = int(np.argmin(whole.vertices[:, 2]))
    small[(whole.faces == lowest).any(axis=1)] = True
    punched = without(whole, big | small).with_(colors=np.clip(whole.vertices * 0.5 + 0.5, 0, 1))
    filled = fill_holes(punched, max_edges=8)
    edges = manifold_report(punched).boundary_edges
    assert manifold_report(filled).boundary_edges == edges - 4
    assert filled.colors is not None and len(filled.colors) == len(filled.vertices)
    everything = fill_holes(punched, max_edges=edges)
    assert manifold_report(everything).manifold and manifold_report(everything).euler == 2
    assert np.isfinite(everything.vertices).all() and everything.colors.min() >= 0


def test_a_crescent_hole_is_not_filled_across_its_outside() -> None:
    """The flat lid of a prism with an L-shaped base: a fan from the middle would fold over, ears do not."""
    outline = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]], np.float32)
    n = len(outline)
    vertices = np.concatenate([np.column_stack([outline, np.full(n, z)]) for z in (0, 1)]).astype(np.float32)
    around = [(i, (i + 1) % n) for i in range(n)]
    walls = [face for a, b in around for face in ((a, b, b + n), (a, b + n, a + n))]
    filled = fill_holes(Mesh(vertices, np.array(walls)))
    assert manifold_report(filled).manifold and len(filled.vertices) == 2 * n
    assert volume(filled) == pytest.approx(7.0) and area(filled) == pytest.approx(2 * 7.0 + 16.0)


def test_holes_that_share_a_vertex_close() -> None:
    whole = sphere(2)
    at = whole.faces[0, 0]
    around = np.flatnonzero((whole.faces == at).any(axis=1))
    opposite = [i for i in around if len(set(whole.faces[around[0]]) & set(whole.faces[i])) == 1]
    dropped = np.zeros(len(whole.faces), bool)
    dropped[[around[0], opposite[0]]] = True
    assert manifold_report(without(whole, dropped)).nonmanifold_vertices == 1
    filled = fill_holes(without(whole, dropped))
    assert manifold_report(filled).manifold and volume(filled) == pytest.approx(volume(whole), rel=1e-6)


def test_a_lone_triangle_stays_and_nonsense_is_refused() -> None:
    lone = Mesh(np.eye(3), [[0, 1, 2]])
    assert len(fill_holes(lone).faces) == 1
    with pytest.raises(MeshError):
        fill_holes(lone, max_edges=2)


def _lowest(mesh: Mesh) -> float:
    a, b, c = mesh.triangles.astype(np.float64).transpose(1, 0, 2)
    longest = np.max([np.linalg.norm(x, axis=1) for x in (b - a, c - b, a - c)], axis=0)
    return float((np.linalg.norm(np.cross(b - a, c - a), axis=1) / longest).min())
