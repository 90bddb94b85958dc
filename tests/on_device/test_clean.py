"""Cleaning on a device: what the host drops, keeps and closes, and the same normals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from geco.mesh import Mesh
from geco.mesh.clean import drop_degenerate, fill_holes, remove_floaters
from geco.mesh.manifold import manifold_report
from geco.mesh.normals import vertex_normals
from geco.mesh.topology import weld_groups
from geco.on_device import clean, normals
from geco.on_device.types import DeviceMesh
from tests.mesh import shapes, surfaces


def with_short_edges() -> Mesh:
    """A torus, two of its vertices moved onto neighbours, so that four faces have no area."""
    mesh = shapes.torus()
    vertices = mesh.vertices.copy()
    vertices[mesh.faces[100, 0]] = vertices[mesh.faces[100, 1]]
    vertices[mesh.faces[700, 1]] = vertices[mesh.faces[700, 2]] + 1e-8
    return mesh.with_(vertices=vertices)


def with_a_flat_face() -> Mesh:
    """A ball, one vertex moved onto the middle of the edge across from it in one of its faces."""
    mesh = shapes.sphere(3)
    vertices, face = mesh.vertices.copy(), mesh.faces[40]
    vertices[face[0]] = (vertices[face[1]] + vertices[face[2]]) / 2
    return mesh.with_(vertices=vertices)


def with_a_hole() -> Mesh:
    mesh = shapes.sphere(4)
    return shapes.without(mesh, (mesh.vertices[mesh.faces].mean(axis=1) @ [0.6, 0.0, 0.8]) > 0.78)


def with_copies() -> Mesh:
    mesh = shapes.sphere(3)
    return mesh.with_(faces=np.concatenate([mesh.faces, mesh.faces[5:9, [1, 2, 0]]]))


def with_crumbs_and_a_cavity() -> Mesh:
    crumb = shapes.sphere(1, 0.03, (0.9, 0.9, 0.0))
    cavity = shapes.turned(shapes.sphere(3, 0.3))
    return shapes.together(shapes.sphere(4), crumb, cavity, shapes.box((-2, -2, -2), (-1, -1, -1)))


def with_lost_vertices() -> Mesh:
    mesh = shapes.torus()
    vertices = np.concatenate([mesh.vertices, [[0, 0, 9], [np.nan, 0, 0]]])
    faces = np.concatenate([mesh.faces, [[0, 5, len(vertices) - 1]]])
    return Mesh(vertices, faces)


FLAWED: dict[str, Callable[[], Mesh]] = {
    "nothing": shapes.torus,
    "short edges": with_short_edges,
    "a flat face": with_a_flat_face,
    "a hole": with_a_hole,
    "copies": with_copies,
    "crumbs and a cavity": with_crumbs_and_a_cavity,
    "lost vertices": with_lost_vertices,
    "noise": surfaces.bumpy,
}


@pytest.mark.parametrize("name", FLAWED)
def test_what_the_host_makes_of_a_flawed_surface(name: str) -> None:
    mesh = FLAWED[name]()
    wanted = fill_holes(remove_floaters(drop_degenerate(mesh)))
    found = clean.clean(DeviceMesh.of(mesh, "cpu")).on_host("test")
    np.testing.assert_array_equal(found.faces, wanted.faces)
    np.testing.assert_array_equal(found.vertices, wanted.vertices)
    assert manifold_report(found).watertight


def test_a_surface_without_faces_stays_one() -> None:
    empty = DeviceMesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long))
    assert len(clean.clean(empty).faces) == 0
    point = DeviceMesh.of(Mesh([[1, 1, 1]] * 3, [[0, 1, 2]]), "cpu")
    assert len(clean.clean(point).faces) == 0


@pytest.mark.parametrize("make", [shapes.torus, surfaces.bumpy, surfaces.soup, surfaces.fans, surfaces.waves])
def test_normals_are_those_of_the_host(make: Callable[[], Mesh]) -> None:
    mesh = make()
    found = normals.vertex_normals(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces).long())
    np.testing.assert_allclose(found.numpy(), vertex_normals(mesh.vertices, mesh.faces), atol=1e-5)


def test_both_sides_of_a_seam_and_a_sheet_have_normals() -> None:
    ball = shapes.sphere(3)
    soup = Mesh(ball.triangles.reshape(-1, 3), np.arange(3 * len(ball.faces)))
    both = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], [[0, 1, 2], [0, 2, 1]])
    for mesh in (soup, both):
        points = torch.from_numpy(mesh.vertices)
        found = normals.vertex_normals(points, torch.from_numpy(mesh.faces).long()).numpy()
        np.testing.assert_allclose(found, vertex_normals(mesh.vertices, mesh.faces), atol=1e-5)
        np.testing.assert_array_equal(normals.weld_groups(points).numpy(), weld_groups(mesh.vertices))
