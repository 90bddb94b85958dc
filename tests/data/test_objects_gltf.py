"""glTF in all its ways of writing the same object."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.data.objects import load_object
from tests.data.glb import GlbWriter, box
from tests.data.shapes import WEDGE, WEDGE_FACES, corners


def split(writer: GlbWriter, folder: Path, inline: bool) -> Path:
    """The same document as .gltf with its buffer beside it, or in it."""
    writer.encode()
    uri = (
        "data:application/octet-stream;base64," + base64.b64encode(writer.binary).decode()
        if inline
        else "my%20buffer.bin"
    )
    writer.document["buffers"] = [{"byteLength": len(writer.binary), "uri": uri}]
    (folder / "my buffer.bin").write_bytes(writer.binary)
    (folder / "a.gltf").write_text(json.dumps(writer.document))
    return folder / "a.gltf"


@pytest.mark.parametrize("inline", [False, True])
def test_text_gltf_is_the_same_object(tmp_path: Path, inline: bool) -> None:
    writer = GlbWriter()
    picture = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    writer.mesh(WEDGE, WEDGE_FACES, uvs=WEDGE[:, :2], material=writer.material(writer.texture(picture)))
    expected = load_object(writer.save(tmp_path / "a.glb"))
    loaded = load_object(split(writer, tmp_path, inline))
    for name in ("vertices", "faces", "uvs", "colors", "transform"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(expected, name))
    np.testing.assert_array_equal(loaded.textures[0][..., :3], picture)


def reds(writer: GlbWriter) -> int:
    return writer.material(factor=[1.0, 0, 0, 1])


def plain(**node: Any) -> GlbWriter:
    writer = GlbWriter()
    writer.mesh(WEDGE, WEDGE_FACES, material=reds(writer), **node)
    return writer


def test_quantised_sparse_and_strided_positions(tmp_path: Path) -> None:
    expected = corners(load_object(plain().save(tmp_path / "plain.glb")))
    quantised = plain(scale=[1 / 100] * 3, translation=[1, 2, 3])
    quantised.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    rows = np.zeros((4, 4), np.int16)
    rows[:, :3] = (WEDGE - [10, -20, 30]) * 100
    view = quantised.view(rows.tobytes())
    quantised.document["bufferViews"][view]["byteStride"] = 8
    quantised.document["accessors"][0].update(bufferView=view, componentType=5122)
    np.testing.assert_allclose(corners(load_object(quantised.save(tmp_path / "q.glb"))), expected, atol=1e-5)

    sparse = plain()
    view = sparse.view(WEDGE.astype(np.float32)[[1, 3]].tobytes())
    sparse.document["accessors"][0]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": sparse.view(np.array([1, 3], np.uint8).tobytes()), "componentType": 5121},
        "values": {"bufferView": view},
    }
    shifted = np.array(WEDGE, np.float32)
    shifted[[1, 3]] += 99
    sparse.document["accessors"][0]["bufferView"] = sparse.view(shifted.tobytes())
    np.testing.assert_allclose(corners(load_object(sparse.save(tmp_path / "s.glb"))), expected, atol=1e-5)


def test_strips_and_fans_keep_their_orientation(tmp_path: Path) -> None:
    ring = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0], [1, 2, 0]], np.float32)
    for mode, points in ((5, ring), (6, ring[[0, 1, 3, 5, 4, 2]])):
        writer = GlbWriter()
        node = writer.mesh(points, np.arange(6), material=reds(writer))
        writer.document["meshes"][node]["primitives"][0]["mode"] = mode
        loaded = load_object(writer.save(tmp_path / "a.glb"))
        triangles = loaded.vertices[loaded.faces] / loaded.scale
        normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        assert (normals[:, 0] >= 0).all()  # glTF's +z is the world's +x; the fan has one flat triangle
        assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(2, rel=1e-5)


def test_a_texture_transform_moves_the_coordinates(tmp_path: Path) -> None:
    writer = GlbWriter()
    material = writer.material(writer.texture(np.zeros((1, 1, 3), np.uint8)))
    place = {"offset": [0.25, 0.5], "rotation": np.pi / 2, "scale": [2.0, 4.0]}
    writer.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["extensions"] = {
        "KHR_texture_transform": place
    }
    uvs = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    writer.mesh(WEDGE, WEDGE_FACES, uvs=uvs, material=material)
    loaded = load_object(writer.save(tmp_path / "a.glb"))
    # The specification's matrices: u' = offset + (cos * su * u + sin * sv * v), v' = offset + (-sin * su * u
    # + cos * sv * v).
    np.testing.assert_allclose(loaded.uvs, [[0.25, 0.5], [0.25, -1.5], [4.25, 0.5], [4.25, -1.5]], atol=1e-6)


def test_skins_and_morph_targets_stand_as_the_file_does(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    # a skinned mesh ignores its own node
    node = writer.mesh(vertices, faces, material=reds(writer), skin=0, scale=[7, 7, 7])
    primitive = writer.document["meshes"][node]["primitives"][0]
    upper = (vertices[:, 1] > 0).astype(np.uint8)
    joints = np.zeros((8, 4), np.uint8)
    joints[:, 0] = upper
    primitive["attributes"]["JOINTS_0"] = writer.accessor(joints, "VEC4")
    primitive["attributes"]["WEIGHTS_0"] = writer.accessor(
        np.tile(np.array([1, 0, 0, 0], np.float32), (8, 1)), "VEC4"
    )
    inverse = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    inverse[1, 3, :3] = [0, -1, 0]  # column-major: the upper joint was bound at y = 1 and stands at y = 3 now
    writer.document["skins"] = [{"joints": [1, 2], "inverseBindMatrices": writer.accessor(inverse, "MAT4")}]
    writer.document["nodes"] += [{}, {"translation": [0, 3, 0]}]
    writer.document["scenes"][0]["nodes"] += [1, 2]
    primitive["targets"] = [
        {
            "POSITION": writer.accessor(
                np.tile(np.array([0, 0, 4], np.float32), (8, 1)) * upper[:, None], "VEC3"
            )
        }
    ]
    writer.document["meshes"][node]["weights"] = [0.5]
    loaded = load_object(writer.save(tmp_path / "a.glb"))
    extent = np.ptp(loaded.vertices, axis=0) / loaded.scale
    np.testing.assert_allclose(extent, [3, 1, 3], rtol=1e-5)  # 1 + 4 / 2 to the front, 1 + 2 upwards


def test_specular_glossiness_and_hidden_texels(tmp_path: Path) -> None:
    writer = GlbWriter()
    texture = writer.texture(np.full((1, 1, 4), 128, np.uint8))
    glossy = writer.material(
        extensions={"KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": {"index": texture}}}
    )
    faint = writer.material(texture, factor=[1.0, 1.0, 1.0, 0.5], alphaMode="MASK", alphaCutoff=0.2)
    writer.mesh(WEDGE, WEDGE_FACES, material=glossy)
    writer.mesh(WEDGE, WEDGE_FACES, material=faint)
    loaded = load_object(writer.save(tmp_path / "a.glb"))
    assert loaded.textures[0] is loaded.textures[1]  # one picture, decoded once
    np.testing.assert_allclose(loaded.cutoffs, [0, 0.4])  # 0.5 * alpha < 0.2


def test_parts_of_one_vertex_buffer_take_only_their_own(tmp_path: Path) -> None:
    writer = plain()
    many = np.concatenate([WEDGE, WEDGE + 1000, WEDGE + 2000]).astype(np.float32)
    writer.document["accessors"][0].update(bufferView=writer.view(many.tobytes()), count=12)
    loaded = load_object(writer.save(tmp_path / "a.glb"))
    assert len(loaded.vertices) == 4
    np.testing.assert_allclose(
        corners(loaded), corners(load_object(plain().save(tmp_path / "b.glb"))), atol=1e-5
    )
