"""A GLB as ``geco serve`` writes it, to arrays; not for those of others."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from .made import Array
from .work import Failure

# glTF 2.0, 3.6.2: component types and the numbers of an element
TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


@dataclass
class ReadSurface:
    """As :class:`extension.made.Surface`."""

    vertices: Array
    faces: Array
    normals: Array | None
    uvs: Array | None
    texture: Array | None
    colors: Array | None
    normal_map: Array | None = None


def read_glb(data: bytes) -> ReadSurface:
    """The first primitive, z up and the picture's side towards +x again; raises :class:`Failure`."""
    try:
        tree, binary = _chunks(data)
        primitive = tree["meshes"][0]["primitives"][0]
        found = {name: _accessor(tree, binary, index) for name, index in primitive["attributes"].items()}
        material = tree["materials"][primitive["material"]] if "material" in primitive else {}
        color = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
        return ReadSurface(
            vertices=to_z_up(found["POSITION"]),
            faces=_accessor(tree, binary, primitive["indices"]).reshape(-1, 3).astype(np.int32),
            normals=to_z_up(found["NORMAL"]),
            uvs=found.get("TEXCOORD_0"),
            texture=_image(tree, binary, color),
            colors=to_srgb(found["COLOR_0"]) if "COLOR_0" in found else None,
            normal_map=_image(tree, binary, material.get("normalTexture")),
        )
    except (KeyError, IndexError, ValueError, struct.error) as error:
        raise Failure(f"the server's file is no GLB of ours ({type(error).__name__}: {error})") from error


def to_z_up(vectors: Array) -> Array:
    """(N, 3) y up with the front at +z, to z up with the front at +x."""
    return np.ascontiguousarray(vectors[:, [2, 0, 1]])


def to_srgb(colors: Array) -> Array:
    """(N, 3 or 4) linear light as glTF has it (3.7.2.1), whole numbers as shares of their largest; to (N, 3)
    in [0, 1].
    """
    most = np.iinfo(colors.dtype).max if colors.dtype.kind == "u" else 1
    linear = np.clip(colors[:, :3].astype(np.float32) / most, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, _ = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2:
        raise ValueError("it does not begin as one")
    found, place = {}, 12
    while place < len(data):
        size, kind = struct.unpack_from("<II", data, place)
        found[kind] = data[place + 8 : place + 8 + size]
        place += 8 + size
    return json.loads(found[JSON_CHUNK]), found[BINARY_CHUNK]


def _accessor(tree: dict[str, Any], binary: bytes, index: int) -> Array:
    accessor = tree["accessors"][index]
    view = tree["bufferViews"][accessor["bufferView"]]
    kind, width, count = TYPES[accessor["componentType"]], WIDTHS[accessor["type"]], accessor["count"]
    stride = view.get("byteStride", width * np.dtype(kind).itemsize)
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    items = np.ndarray((count, width), np.dtype(kind), binary, start, (stride, np.dtype(kind).itemsize))
    return items.copy() if width > 1 else items[:, 0].copy()


def _image(tree: dict[str, Any], binary: bytes, used: dict[str, Any] | None) -> Array | None:
    """(H, W, 3) uint8 of a texture of the material."""
    if used is None:
        return None
    from PIL import Image

    texture = tree["textures"][used["index"]]
    # WebP comes by an extension
    source = texture.get("source", texture.get("extensions", {}).get("EXT_texture_webp", {}).get("source"))
    view = tree["bufferViews"][tree["images"][source]["bufferView"]]
    start = view.get("byteOffset", 0)
    with Image.open(io.BytesIO(binary[start : start + view["byteLength"]])) as image:
        return np.asarray(image.convert("RGB"))
