"""The GLB reader: placement, materials, normalisation, and the ways in which glTF stores the same
triangles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import BOUNDING_RADIUS, Limits, load_object
from tests.data.glb import GlbWriter, box

BARE = Limits(allow_untextured=True)


def test_axes_scale_and_centre(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box((2.0, 4.0, 6.0))  # glTF: x right, y up, z to the front
    writer.mesh(vertices + 10, faces)
    loaded = load_object(writer.save(tmp_path / "box.glb"), BARE)
    extent = np.ptp(loaded.vertices, axis=0)
    # world: front, left-right, up
    np.testing.assert_allclose(extent / extent[0], [1, 2 / 6, 4 / 6], rtol=1e-5)
    assert np.linalg.norm(loaded.vertices, axis=1).max() == pytest.approx(BOUNDING_RADIUS, rel=1e-5)
    np.testing.assert_allclose(loaded.vertices.min(0), -loaded.vertices.max(0), atol=1e-6)
    original = loaded.vertices / loaded.scale + loaded.center
    np.testing.assert_allclose(sorted(set(original[:, 2].round(3))), [8, 12], atol=1e-3)


def test_nodes_are_placed_by_their_transforms(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    half = np.sqrt(0.5)
    # long in z, turned about y: long in x
    inner = writer.mesh(vertices, faces, rotation=[0, half, 0, half], scale=[1, 1, 3])
    writer.document["scenes"][0]["nodes"] = [1]
    writer.document["nodes"].append({"children": [inner], "translation": [0, 5, 0]})
    loaded = load_object(writer.save(tmp_path / "nodes.glb"), BARE)
    extent = np.ptp(loaded.vertices, axis=0) / loaded.scale
    np.testing.assert_allclose(extent, [1, 3, 1], rtol=1e-5)  # glTF x is world y
    np.testing.assert_allclose(loaded.center, [0, 0, 5], atol=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_faces_stay_outward(tmp_path: Path, mirror: bool) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    writer.mesh(vertices, faces, scale=[-1 if mirror else 1, 1, 1])
    loaded = load_object(writer.save(tmp_path / "box.glb"), BARE)
    for each in (loaded, loaded.mirrored()):
        a, b, c = (each.vertices[each.faces[:, i]] for i in range(3))
        volume = (a * np.cross(b, c)).sum() / 6
        assert volume == pytest.approx((2 * BOUNDING_RADIUS / np.sqrt(3)) ** 3, rel=1e-4)


def test_each_primitive_keeps_its_own_material(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = (255, 0, 0, 255)
    textured = writer.material(writer.texture(picture), alphaMode="MASK", alphaCutoff=0.25)
    flat = writer.material(factor=[0.2140411, 1.0, 0.0, 1.0])  # linear 0.214 is sRGB 0.5
    colors = np.full((8, 4), (51, 255, 255, 255), np.uint8)
    writer.mesh(vertices, faces, uvs=np.zeros((8, 2)), material=textured)
    writer.mesh(vertices + 2, faces, material=flat, colors=colors)
    writer.mesh(vertices + 4, faces)
    loaded = load_object(writer.save(tmp_path / "m.glb"))
    assert [len(loaded.faces), len(loaded.textures)] == [36, 3]
    np.testing.assert_array_equal(np.unique(loaded.materials, return_counts=True), [[0, 1, 2], [12, 12, 12]])
    np.testing.assert_array_equal(loaded.textures[0], picture)
    np.testing.assert_allclose(loaded.cutoffs, [0.25, 0, 0])
    # both are linear in the file (glTF 2.0, section 3.7.2.1); the product becomes sRGB
    shade = 0.2 * 0.2140411
    np.testing.assert_allclose(loaded.colors[8], [1.055 * shade ** (1 / 2.4) - 0.055, 1.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(loaded.colors[16:], 1)
