"""glTF: every feature of the reader in one small file, made hostile value by value or feature by feature."""

from __future__ import annotations

import base64
import copy
import io
import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from PIL import Image
from tests.data.glb import GlbWriter, box

from benchmarks.fuzzing.case import NUMBERS, choose, hostile, near, to_json, wrong_value

Document = dict[str, Any]
COMPONENTS = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}


def rich(rng: Random) -> tuple[Document, bytes]:
    """Texture, transform, colours, skin, target, sparse, strips, mask, nested nodes: document and
    binary part.
    """
    writer, (vertices, faces) = GlbWriter(), box()
    picture = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (4, 4, 4)).astype(np.uint8)
    material = writer.material(
        writer.texture(picture), alphaMode=rng.choice(("MASK", "BLEND", "OPAQUE")), alphaCutoff=0.1
    )
    place = {"scale": [2, 2], "rotation": 0.5, "offset": [0.1, 0.2], "texCoord": 0}
    textured = writer.document["materials"][0]["pbrMetallicRoughness"]
    textured |= {"baseColorFactor": [1, 0.5, 0.5, rng.choice((1, 0, 0.5))]}
    textured["baseColorTexture"]["extensions"] = {"KHR_texture_transform": place}
    writer.mesh(vertices, faces, uvs=vertices[:, :2], material=material)
    writer.mesh(
        vertices + 2, faces, colors=np.full((8, 4), 90, np.uint8), rotation=[0, 0, 0, 1], scale=[1, 2, 1]
    )
    first, second = (mesh["primitives"][0] for mesh in writer.document["meshes"])
    if rng.random() < 0.6:
        second["targets"] = [{"POSITION": writer.accessor(vertices, "VEC3")}]
        writer.document["meshes"][1]["weights"] = [0.5]
        second["attributes"]["JOINTS_0"] = writer.accessor(np.zeros((8, 4), np.uint8), "VEC4")
        second["attributes"]["WEIGHTS_0"] = writer.accessor(np.eye(4, dtype=np.float32)[[0] * 8], "VEC4")
        matrices = writer.accessor(np.eye(4, dtype=np.float32)[None], "MAT4")
        writer.document["skins"] = [{"joints": [0], "inverseBindMatrices": matrices}]
        writer.document["nodes"][1]["skin"] = 0
    if rng.random() < 0.5:
        indices = {"bufferView": writer.view(np.array([3], np.uint16).tobytes()), "componentType": 5123}
        values = {"bufferView": writer.view(np.array([1, 1, 2], np.float32).tobytes())}
        writer.document["accessors"][0]["sparse"] = {"count": 1, "indices": indices, "values": values}
    writer.document["meshes"][0]["primitives"].append(
        {"attributes": first["attributes"], "mode": rng.randrange(7)}
    )
    writer.document["nodes"].append(
        {"children": [0], "translation": [1, 0, 0], "matrix": np.eye(4).ravel().tolist()}
    )
    writer.document["scenes"][0]["nodes"] = [1, 2]
    writer.encode()  # completes the document
    return writer.document, writer.binary


def files(rng: Random, source: bytes | None = None) -> tuple[dict[str, bytes], str]:
    """A hostile glTF, of ``source`` (a GLB) or of the rich document: its files and what was done to it."""
    document, binary = parts(source) if source is not None else rich(rng)
    done = []
    for _ in range(rng.choice((0, 1, 1, 2))):
        name = choose(rng, {name: weight for name, (_, weight) in _CHANGES.items()})
        _CHANGES[name][0](document, rng)
        done.append(name)
    if rng.random() < 0.45:
        document = wrong_value(document, rng)
        done.append("values")
    kind = choose(rng, {"glb": 6, "data": 1, "beside": 2})
    about = f"glTF {kind}: {', '.join(done)}"
    if kind == "glb" or not isinstance(document, dict):
        return {"model.glb": pack(document, binary, rng)}, about
    uri = (
        "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
        if kind == "data"
        else "model.bin"
    )
    if (
        isinstance(document.get("buffers"), list)
        and document["buffers"]
        and isinstance(document["buffers"][0], dict)
    ):
        document["buffers"][0]["uri"] = _uri(uri, rng)
    found = {"model.gltf": to_json(document, rng)}
    return found if kind == "data" else found | {"model.bin": binary}, about


def parts(glb: bytes) -> tuple[Document, bytes]:
    """Document and binary part of a whole GLB."""
    length = struct.unpack_from("<I", glb, 12)[0]
    document: Document = json.loads(glb[20 : 20 + length])
    return document, glb[28 + length :]


def pack(document: Any, binary: bytes, rng: Random) -> bytes:
    """A GLB, whose lengths are now and then false."""
    text = to_json(document, rng)
    text += b" " * (-len(text) % 4)
    body = binary + bytes(-len(binary) % 4)
    lengths = [12 + 16 + len(text) + len(body), len(text), len(body)]
    if rng.random() < 0.05:
        index = rng.randrange(3)
        lengths[index] = rng.choice((near(lengths[index], rng), rng.choice(NUMBERS))) % 2**32
    head = struct.pack("<4sII", b"glTF", 2 if rng.random() < 0.98 else 1, lengths[0])
    return (
        head
        + struct.pack("<I4s", lengths[1], b"JSON")
        + text
        + struct.pack("<I4s", lengths[2], b"BIN\0")
        + body
    )


def _uri(uri: str, rng: Random) -> str:
    if rng.random() < 0.8:
        return uri
    texts = (
        "../model.bin",
        "/etc/hostname",
        "http://x.invalid/a",
        "data:,x",
        "data:;base64,!!!!",
        "model%2ebin",
        "a\0b",
        "",
        "\udcff",
    )
    return rng.choice((*texts, "a" * 5000))


def _any(document: Document, name: str, rng: Random) -> Any:
    found = document.setdefault(name, [])
    if not found:
        found.append({})
    return rng.choice(found)


def _counts(document: Document, rng: Random) -> None:
    accessor = _any(document, "accessors", rng)
    accessor["count"] = rng.choice((0, 1, 3, 7, 1000, 10**6, 15_000_000, 2**31, 2**40, -1))
    if rng.random() < 0.6:
        accessor.pop("bufferView", None)


def _types(document: Document, rng: Random) -> None:
    accessor = _any(document, "accessors", rng)
    accessor["componentType"] = rng.choice((*COMPONENTS, 5124, 5130, 0, "5126"))
    if rng.random() < 0.5:
        accessor["type"] = rng.choice(("SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4", "VEC5", ""))
    accessor["normalized"] = rng.random() < 0.5


def _offsets(document: Document, rng: Random) -> None:
    holder = _any(document, rng.choice(("accessors", "bufferViews", "buffers")), rng)
    holder[rng.choice(("byteOffset", "byteLength", "byteStride", "buffer"))] = rng.choice(
        (*NUMBERS, 2**60, 12, 13, 0.5)
    )


def _sparse(document: Document, rng: Random) -> None:
    indices = {
        "bufferView": rng.randrange(4),
        "componentType": rng.choice((5121, 5123, 5125)),
        "byteOffset": rng.choice((0, 1, 10**6)),
    }
    values = {"bufferView": rng.randrange(4), "byteOffset": rng.choice((0, 4, 10**6))}
    _any(document, "accessors", rng)["sparse"] = {
        "count": rng.choice((0, 1, 3, 10**7, 2**40)),
        "indices": indices,
        "values": values,
    }


def _cycle(document: Document, rng: Random) -> None:
    nodes = document.setdefault("nodes", [{}])
    nodes[rng.randrange(len(nodes))]["children"] = [
        rng.randrange(len(nodes)) for _ in range(rng.choice((1, 2, 50)))
    ]


def _deep(document: Document, rng: Random) -> None:
    nodes, depth = document.setdefault("nodes", [{}]), rng.choice((50, 99, 101, 3000))
    start = len(nodes)
    nodes.extend(
        {"children": [start + level + 1], "scale": [rng.choice((1, 0.5, 2))] * 3} for level in range(depth)
    )
    nodes.append({"mesh": 0})
    document["scenes"] = [{"nodes": [start]}]


def _fan_out(document: Document, rng: Random) -> None:
    """Nodes that share children: paths grow as a power of the levels."""
    nodes, wide = document.setdefault("nodes", [{}]), rng.choice((2, 10))
    start = len(nodes)
    nodes.extend({"children": [start + level + 1] * wide} for level in range(rng.choice((3, 8, 30))))
    nodes.append({"mesh": 0})
    document["scenes"] = [{"nodes": [start]}]


def _primitives(document: Document, rng: Random) -> None:
    mesh = _any(document, "meshes", rng)
    mesh["primitives"] = [copy.deepcopy(p) for p in mesh.get("primitives", [{}])[:1]] * rng.choice(
        (0, 2, 300, 20_000)
    )


def _targets(document: Document, rng: Random) -> None:
    count, mesh = rng.choice((1, 30, 4500)), _any(document, "meshes", rng)
    mesh["weights"] = [rng.choice((0.5, 1e38, 0, -1))] * rng.choice((count, count + 1, 0))
    for primitive in mesh.get("primitives", [])[:50]:
        primitive["targets"] = [{"POSITION": rng.randrange(6)}] * count


def _skin(document: Document, rng: Random) -> None:
    count = rng.choice((1, 4, 300))
    document["skins"] = [
        {"joints": [rng.randrange(4) for _ in range(count)], "inverseBindMatrices": rng.choice((0, 99, None))}
    ]
    _any(document, "nodes", rng)["skin"] = rng.choice((0, 0, 1, -1))


def _image(document: Document, rng: Random) -> None:
    from benchmarks.fuzzing.pictures import picture_bytes

    data, _ = picture_bytes(rng)
    if rng.random() < 0.2:
        stream = io.BytesIO()
        Image.new("L", (rng.choice((1, 8192, 9000)),) * 2).save(stream, "PNG")
        data = stream.getvalue()
    document["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(data).decode()}] * rng.choice(
        (1, 1, 3)
    )


def _materials(document: Document, rng: Random) -> None:
    document["materials"] = [
        copy.deepcopy(_any(document, "materials", rng)) for _ in range(rng.choice((1, 50, 3000)))
    ]
    material = rng.choice(document["materials"])
    material.setdefault("pbrMetallicRoughness", {})["baseColorFactor"] = rng.choice(
        ([1, 1, 1, 0], [9, -1, 0, 1], [1, 1], hostile(rng))
    )


def _place(document: Document, rng: Random) -> None:
    node = _any(document, "nodes", rng)
    name = rng.choice(("matrix", "translation", "rotation", "scale"))
    node[name] = [
        rng.choice((0, 1, -1, 1e-30, 1e30, 1e200, float("nan")))
        for _ in range(16 if name == "matrix" else rng.choice((3, 4)))
    ]


def _extensions(document: Document, rng: Random) -> None:
    names = (
        "KHR_draco_mesh_compression",
        "EXT_meshopt_compression",
        "KHR_texture_basisu",
        "KHR_mesh_quantization",
        "X",
        7,
    )
    document[rng.choice(("extensionsRequired", "extensionsUsed"))] = [rng.choice(names)]
    _any(document, "meshes", rng)["extensions"] = {rng.choice(names[:5]): hostile(rng)}


_CHANGES: dict[str, tuple[Callable[[Document, Random], None], float]] = {
    "counts": (_counts, 3),
    "types": (_types, 2),
    "offsets": (_offsets, 3),
    "sparse": (_sparse, 2),
    "cycle": (_cycle, 1),
    "deep": (_deep, 1),
    "fan out": (_fan_out, 1),
    "primitives": (_primitives, 1),
    "targets": (_targets, 1.5),
    "skin": (_skin, 1),
    "image": (_image, 2),
    "materials": (_materials, 1),
    "place": (_place, 2),
    "extensions": (_extensions, 0.5),
}
