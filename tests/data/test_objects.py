"""The GLB reader: placement, materials, normalisation, and files that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import BOUNDING_RADIUS, load_object
from geco.errors import MeshError
from tests.data.glb import GlbWriter, box


def test_axes_scale_and_centre(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box((2.0, 4.0, 6.0))  # glTF: x right, y up, z to the front
    writer.mesh(vertices + 10, faces)
    loaded = load_object(writer.save(tmp_path / "box.glb"))
    extent = np.ptp(loaded.vertices, axis=0)
    np.testing.assert_allclose(extent / extent[0], [1, 2 / 6, 4 / 6], rtol=1e-5)  # world: front, left-right, up
    assert np.linalg.norm(loaded.vertices, axis=1).max() == pytest.approx(BOUNDING_RADIUS, rel=1e-5)
    np.testing.assert_allclose(loaded.vertices.min(0), -loaded.vertices.max(0), atol=1e-6)
    original = loaded.vertices / loaded.scale + loaded.center
    np.testing.assert_allclose(sorted(set(original[:, 2].round(3))), [8, 12], atol=1e-3)


def test_nodes_are_placed_by_their_transforms(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    half = np.sqrt(0.5)
    inner = writer.mesh(vertices, faces, rotation=[0, half, 0, half], scale=[1, 1, 3])  # long in z, turned about y: long in x
    writer.document["scenes"][0]["nodes"] = [1]
    writer.document["nodes"].append({"children": [inner], "translation": [0, 5, 0]})
    loaded = load_object(writer.save(tmp_path / "nodes.glb"))
    extent = np.ptp(loaded.vertices, axis=0) / loaded.scale
    np.testing.assert_allclose(extent, [1, 3, 1], rtol=1e-5)  # glTF x is world y
    np.testing.assert_allclose(loaded.center, [0, 0, 5], atol=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_faces_stay_outward(tmp_path: Path, mirror: bool) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    writer.mesh(vertices, faces, scale=[-1 if mirror else 1, 1, 1])
    loaded = load_object(writer.save(tmp_path / "box.glb"))
    for each in (loaded, loaded.mirrored()):
        a, b, c = (each.vertices[each.faces[:, i]] for i in range(3))
        volume = (a * np.cross(b, c)).sum() / 6
        assert volume == pytest.approx((2 * BOUNDING_RADIUS / np.sqrt(3)) ** 3, rel=1e-4)


def test_each_primitive_keeps_its_own_material(tmp_path: Path) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = (255, 0, 0, 0)
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
    np.testing.assert_allclose(loaded.colors[8], [0.2 * 0.5, 1.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(loaded.colors[16:], 1)


def good() -> GlbWriter:
    writer = GlbWriter()
    writer.mesh(*box())
    return writer


def lie(change: str) -> bytes:
    writer = good()
    match change:
        case "not glTF":
            return b"PK\3\4" + bytes(100)
        case "empty":
            return b""
        case "truncated":
            return writer.encode()[:-40]
        case "false length":
            data = bytearray(writer.encode())
            struct.pack_into("<I", data, 8, len(data) + 10**6)
            return bytes(data)
        case "huge accessor":
            writer.document["accessors"][0]["count"] = 2**31
        case "negative count":
            writer.document["accessors"][0]["count"] = -5
        case "view beyond the end":
            writer.document["bufferViews"][0]["byteLength"] = 10**9
        case "negative offset":
            writer.document["bufferViews"][0]["byteOffset"] = -8
        case "index beyond":
            writer.document["accessors"][0]["count"] = 4
        case "cycle":
            writer.document["nodes"][0]["children"] = [0]
        case "wrong json":
            writer.document["nodes"] = {"a": 3}
        case "nan":
            writer = GlbWriter()
            vertices, faces = box()
            vertices[3] = np.nan
            writer.mesh(vertices, faces)
        case "a point":
            writer = GlbWriter()
            vertices, faces = box((0, 0, 0))
            writer.mesh(vertices, faces)
        case "external file":
            writer.document["images"] = [{"uri": "../../etc/passwd"}]
            writer.document["textures"] = [{"source": 0}]
            writer.document["meshes"][0]["primitives"][0]["material"] = writer.material(0)
        case "huge texture":
            texture = writer.texture(np.zeros((1, 1, 3), np.uint8))
            view = writer.document["bufferViews"][writer.document["images"][0]["bufferView"]]
            header = bytearray(writer.binary)
            struct.pack_into(">II", header, view["byteOffset"] + 16, 30_000, 30_000)
            ihdr = header[view["byteOffset"] + 12 : view["byteOffset"] + 29]
            struct.pack_into(">I", header, view["byteOffset"] + 29, __import__("zlib").crc32(ihdr))
            writer.binary = bytes(header)
            writer.document["meshes"][0]["primitives"][0]["material"] = writer.material(texture)
        case "draco":
            writer.document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    return writer.encode()


LIES = """not glTF, empty, truncated, false length, huge accessor, negative count, view beyond the end, negative offset,
index beyond, cycle, wrong json, nan, a point, external file, huge texture, draco""".replace("\n", " ")


@pytest.mark.parametrize("change", LIES.split(", "))
def test_hostile_files_are_refused_with_a_reason(tmp_path: Path, change: str) -> None:
    path = tmp_path / "bad.glb"
    path.write_bytes(lie(change))
    with pytest.raises(MeshError, match=r"bad\.glb: .{8,}"):
        load_object(path)
