"""A reader of GLB that checks the rules of glTF 2.0 on the way; section numbers are the specification's."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh


def parse_glb(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The two chunks, after checking the container (glTF 2.0, 4.4)."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    json_length, json_type = struct.unpack_from("<I4s", data, 12)
    assert json_type == b"JSON" and json_length % 4 == 0
    document = json.loads(data[20 : 20 + json_length].decode("utf-8"))
    binary_length, binary_type = struct.unpack_from("<I4s", data, 20 + json_length)
    assert binary_type == b"BIN\0" and binary_length % 4 == 0
    binary = data[28 + json_length :]
    assert len(binary) == binary_length
    return document, binary


_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def read_accessor(document: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    """The (N, K) values of an accessor, after checking where it lies (3.6.2)."""
    accessor = document["accessors"][number]
    view = document["bufferViews"][accessor["bufferView"]]
    dtype, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTH[accessor["type"]]
    offset = view["byteOffset"] + accessor.get("byteOffset", 0)
    assert (
        offset % dtype.itemsize == 0
        and accessor.get("byteOffset", 0) + accessor["count"] * width * dtype.itemsize <= view["byteLength"]
    )
    return np.frombuffer(binary, dtype, accessor["count"] * width, offset).reshape(-1, width)


def check_gltf(document: dict[str, Any], binary: bytes, vertices: int, faces: int) -> None:
    """The rules of glTF 2.0 that bear on a file like ours."""
    assert document["asset"]["version"] == "2.0"
    assert len(document["buffers"]) == 1 and "uri" not in document["buffers"][0]
    size = document["buffers"][0]["byteLength"]
    assert size <= len(binary) <= size + 3
    end = 0
    for view in sorted(document["bufferViews"], key=lambda view: view["byteOffset"]):
        assert view["buffer"] == 0 and view["byteOffset"] % 4 == 0 and view["byteLength"] > 0
        assert view["byteOffset"] >= end  # no overlap
        end = view["byteOffset"] + view["byteLength"]
    assert end <= size
    for kind, names in (("scenes", "nodes"), ("nodes", "meshes")):
        used = [
            item
            for entry in document[kind]
            for item in (entry["nodes"] if kind == "scenes" else [entry["mesh"]])
        ]
        assert all(0 <= number < len(document[names]) for number in used)
    primitive = document["meshes"][0]["primitives"][0]
    assert primitive.get("mode", 4) == 4 and primitive["material"] < len(document["materials"])
    indices = read_accessor(document, binary, primitive["indices"])
    assert indices.shape == (3 * faces, 1) and indices.max() < vertices
    assert (
        document["bufferViews"][document["accessors"][primitive["indices"]]["bufferView"]]["target"] == 34963
    )
    used_views = {document["accessors"][primitive["indices"]]["bufferView"]}
    for name, number in primitive["attributes"].items():
        accessor = document["accessors"][number]
        values = read_accessor(document, binary, number)
        assert len(values) == vertices and values.itemsize * values.shape[1] % 4 == 0
        assert document["bufferViews"][accessor["bufferView"]]["target"] == 34962
        used_views.add(accessor["bufferView"])
        if name == "POSITION":
            np.testing.assert_array_equal(np.float32(accessor["min"]), values.min(axis=0))
            np.testing.assert_array_equal(np.float32(accessor["max"]), values.max(axis=0))
        elif name == "NORMAL":
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-4)
        elif name == "TEXCOORD_0":
            assert values.min() >= 0 and values.max() <= 1
        elif name == "TANGENT":
            np.testing.assert_allclose(np.linalg.norm(values[:, :3], axis=1), 1.0, atol=1e-4)
            assert (np.abs(values[:, 3]) == 1).all()
        else:
            assert name == "COLOR_0" and accessor["normalized"] is True
    for image in document.get("images", []):
        used_views.add(image["bufferView"])
        assert "target" not in document["bufferViews"][image["bufferView"]]
    assert used_views == set(range(len(document["bufferViews"])))
    for texture in document.get("textures", []):
        source = texture.get(
            "source", texture.get("extensions", {}).get("EXT_texture_webp", {}).get("source")
        )
        assert (
            source is not None
            and source < len(document["images"])
            and texture["sampler"] < len(document["samplers"])
        )
    assert set(document.get("extensionsRequired", [])) <= set(document.get("extensionsUsed", []))
    assert json.dumps(document, allow_nan=False)


def load(path: Path) -> trimesh.Trimesh:
    """The only mesh of the file, untouched."""
    scene = trimesh.load_scene(path, process=False)
    assert len(scene.geometry) == 1
    return next(iter(scene.geometry.values()))
