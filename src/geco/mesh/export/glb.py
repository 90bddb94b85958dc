"""Binary glTF 2.0 (Khronos specification, sections in the comments): one mesh, one primitive, one texture, y up, metres."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.mesh.export.axes import srgb_to_linear, y_up
from geco.mesh.export.images import TextureFormat, encode_texture
from geco.mesh.export.metadata import GENERATOR, About, plain, to_json
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh

_MAGIC, _VERSION, _JSON_CHUNK, _BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942  # 4.4.1, 4.4.3
_UINT16, _UINT32, _FLOAT = 5123, 5125, 5126  # 3.6.2.2 component types
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963  # 5.11.5 buffer view targets
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071  # 5.26 sampler
_ROUGHNESS = 0.8  # our choice: colours are baked with their shading, so no highlight is added

_COMPONENT = {np.dtype(np.uint16): _UINT16, np.dtype(np.uint32): _UINT32, np.dtype(np.float32): _FLOAT}
_SHAPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


def encode_glb(mesh: Mesh, about: About, kind: TextureFormat, quality: int | None) -> bytes:
    """The bytes of the file; the mark and the facts are its ``asset.extras``."""
    name = plain(about.name)
    binary = _Binary()
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    # 3.7.2.1: the largest value of an index type is a restart marker and may not be used.
    index_type = np.uint16 if len(mesh.vertices) <= 0xFFFF else np.uint32
    attributes = {
        "POSITION": binary.accessor(y_up(mesh.vertices), _ARRAY_BUFFER, bounds=True),
        "NORMAL": binary.accessor(y_up(normals), _ARRAY_BUFFER),
    }
    if mesh.uvs is not None:
        attributes["TEXCOORD_0"] = binary.accessor(mesh.uvs.astype(np.float32), _ARRAY_BUFFER)
    if mesh.texture is None and mesh.colors is not None:
        attributes["COLOR_0"] = binary.accessor(_linear_rgba(mesh.colors), _ARRAY_BUFFER, normalized=True)
    indices = binary.accessor(mesh.faces.astype(index_type).reshape(-1, 1), _ELEMENT_ARRAY_BUFFER)

    material: dict[str, Any] = {
        "name": name,
        "doubleSided": False,
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS},
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": {"mark": about.mark(), **plain(about.extras)}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [{"attributes": attributes, "indices": indices, "material": 0, "mode": 4}]}],
        "materials": [material],
        "accessors": binary.accessors,
        "bufferViews": binary.views,
    }
    if mesh.texture is not None:
        view = binary.view(encode_texture(mesh.texture, kind, quality))
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
        document["images"] = [{"bufferView": view, "mimeType": kind.media_type, "name": name}]
        document["samplers"] = [{"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}]
        document["textures"] = [{"name": name, **_texture(document, kind)}]
    document["buffers"] = [{"byteLength": binary.size}]
    return _container(to_json(document).encode(), binary.chunks)


def _texture(document: dict[str, Any], kind: TextureFormat) -> dict[str, Any]:
    if kind.name != "webp":
        return {"sampler": 0, "source": 0}
    # No core fallback picture: the extension is required then (EXT_texture_webp, "Using without a fallback").
    document["extensionsUsed"] = document["extensionsRequired"] = ["EXT_texture_webp"]
    return {"sampler": 0, "extensions": {"EXT_texture_webp": {"source": 0}}}


def _linear_rgba(colors: NDArray[np.float32]) -> NDArray[np.uint16]:
    """3.7.2.1: COLOR_0 is linear. 16 bits keep dark tones, and four of them keep the element a multiple of 4 bytes."""
    rgba = np.full((len(colors), 4), 0xFFFF, np.uint16)
    rgba[:, :3] = np.rint(srgb_to_linear(np.clip(colors, 0.0, 1.0)) * 0xFFFF)
    return rgba


class _Binary:
    """The binary chunk, growing: every view starts at a multiple of 4 bytes (3.6.2.4)."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes; returns the number of their buffer view."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.size, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        padding = -len(data) % 4
        self.chunks += [data, bytes(padding)]
        self.size += len(data) + padding
        return len(self.views) - 1

    def accessor(self, values: NDArray[Any], target: int, bounds: bool = False, normalized: bool = False) -> int:
        """Append an (N, K) array; returns the number of its accessor."""
        accessor: dict[str, Any] = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": _COMPONENT[values.dtype],
            "count": len(values),
            "type": _SHAPE[values.shape[1]],
        }
        if bounds:  # float32 values, whose decimal form reads back to the same float32: required for POSITION (3.6.2.5)
            accessor["min"], accessor["max"] = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        if normalized:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _container(document: bytes, binary: list[bytes]) -> bytes:
    """4.4: header, JSON chunk padded with spaces, binary chunk padded with zeros (already)."""
    document += b" " * (-len(document) % 4)
    length = sum(len(part) for part in binary)
    total = 12 + 8 + len(document) + 8 + length
    head = struct.pack("<III", _MAGIC, _VERSION, total) + struct.pack("<II", len(document), _JSON_CHUNK)
    return b"".join([head, document, struct.pack("<II", length, _BIN_CHUNK), *binary])
