"""Decimation keeps shape, closedness and colours."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest

from geco.errors import MeshError
from geco.mesh import Mesh
from geco.mesh.decimate import decimate
from geco.mesh.manifold import manifold_report
from tests.mesh.shapes import area, box, sphere, torus, volume


@pytest.mark.parametrize("target", [4000, 1000, 200])
def test_shape_and_topology_are_kept(target: int) -> None:
    for mesh, euler in ((sphere(5), 2), (torus(96, 48), 0)):
        few = decimate(mesh, target)
        assert 0.9 * target <= len(few.faces) <= target
        report = manifold_report(few)
        assert report.watertight and report.euler == euler
        assert volume(few) == pytest.approx(volume(mesh), rel=20 / target) and area(few) == pytest.approx(
            area(mesh), rel=20 / target
        )
        assert np.linalg.norm(few.face_normals(), axis=1).min() > 0


def test_the_size_of_the_object_does_not_matter() -> None:
    mesh = sphere(4)
    for scale in (1e-3, 1e3):
        few = decimate(mesh.with_(vertices=mesh.vertices * scale + 5 * scale), 500)
        assert 450 <= len(few.faces) <= 500
        assert volume(few) == pytest.approx(volume(mesh) * scale**3, rel=0.03)


def test_nothing_to_do() -> None:
    mesh = sphere(2)
    assert decimate(mesh, len(mesh.faces)) is mesh
    assert decimate(mesh, 10**9) is mesh


def test_never_fewer_than_four_faces() -> None:
    for target in (1, 2, 3, 4):
        few = decimate(sphere(3), target)
        assert len(few.faces) >= 4 and np.isfinite(few.vertices).all()
    assert len(decimate(box(), 1).faces) >= 4


def test_colours_follow_their_place() -> None:
    mesh = sphere(5)
    few = decimate(mesh.with_(colors=mesh.vertices * 0.5 + 0.5), 1000)
    assert few.colors is not None and few.colors.shape == few.vertices.shape
    assert np.abs(few.colors - (few.vertices * 0.5 + 0.5)).max() < 0.06
    plain = decimate(mesh.with_(colors=np.full_like(mesh.vertices, 0.25)), 1000)
    np.testing.assert_allclose(plain.colors, 0.25, atol=1e-6)
    np.testing.assert_array_equal(plain.vertices, few.vertices)


def test_colours_of_vertices_that_the_history_does_not_name() -> None:
    """Loose vertices and folded faces make the library's list of survivors differ from the collapses."""
    mesh = sphere(3)
    folded = np.concatenate([mesh.faces, mesh.faces[:40, ::-1]])
    loose = np.concatenate([np.full((7, 3), 0.1, np.float32), mesh.vertices])
    dirty = Mesh(loose, folded + 7, colors=loose * 0.5 + 0.5)
    few = decimate(dirty, 200)
    assert few.colors is not None and len(few.colors) == len(few.vertices)
    assert np.abs(few.colors - (few.vertices * 0.5 + 0.5)).max() < 0.25


def test_noise_and_crumpled_faces_stay_within_the_box() -> None:
    rng = np.random.default_rng(0)
    crumpled = Mesh(rng.uniform(-1, 1, (300, 3)), rng.integers(0, 300, (2000, 3)))
    few = decimate(crumpled, 100)
    assert len(few.faces) >= 4
    low, high = crumpled.bounds
    assert (few.vertices >= low).all() and (few.vertices <= high).all()


def test_bad_input_is_refused() -> None:
    mesh = sphere(2)
    with pytest.raises(MeshError):
        decimate(mesh, 0)
    mesh.vertices[3] = np.nan
    with pytest.raises(MeshError):
        decimate(mesh, 20)


def test_threads_do_not_mix_their_meshes() -> None:
    meshes = [sphere(4, radius) for radius in (0.2, 0.4, 0.6, 0.8)]
    alone = [decimate(mesh, 300) for mesh in meshes]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(lambda mesh: decimate(mesh, 300), meshes)):
            np.testing.assert_array_equal(one.vertices, other.vertices)
            np.testing.assert_array_equal(one.faces, other.faces)
