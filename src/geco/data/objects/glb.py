"""Objects from GLB files: one normalised, textured triangle soup a file, ready for the renderer.

A lean reader of binary glTF 2.0 (what training sets are stored in): the scene graph node by node, each primitive with its
own base colour (texture x factor x vertex colours) and alpha mask. Skins, morph targets, compressed geometry and external
files are not read; such a file is refused with a reason.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geco.data.objects.types import BOUNDING_RADIUS, Floats, Ints, TexturedObject
from geco.errors import MeshError

MAX_FILE_BYTES = 512 << 20
MAX_FACES = 5_000_000
MAX_TEXTURE_PIXELS = 8192 * 8192
MASK_CUTOFF = 0.5  # glTF 2.0, material.alphaCutoff's default
_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def load_object(path: str | Path) -> TexturedObject:
    """Read and normalise one GLB file.

    Raises:
        MeshError: the file is broken, too large, of an unsupported kind, or holds no surface; the message is the reason.
    """
    name = Path(path).name
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise MeshError(f"{name}: larger than {MAX_FILE_BYTES >> 20} MiB")
        document, binary = _split(Path(path).read_bytes(), name)
        parts = _Reader(document, binary, name).read()
    except (KeyError, IndexError, ValueError, TypeError, struct.error, OSError, Image.DecompressionBombError) as error:
        raise MeshError(f"{name}: broken glTF ({type(error).__name__}: {error})") from error
    return _normalise(parts, name)


def _normalise(parts: TexturedObject, name: str) -> TexturedObject:
    if len(parts.faces) == 0:
        raise MeshError(f"{name}: no triangles")
    used = parts.vertices[np.unique(parts.faces)].astype(np.float64)
    if not np.isfinite(used).all():
        raise MeshError(f"{name}: vertices that are not finite")
    center = (used.min(axis=0) + used.max(axis=0)) / 2
    radius = float(np.linalg.norm(used - center, axis=1).max())
    if radius < 1e-12:
        raise MeshError(f"{name}: no extent")
    parts.center, parts.scale = center.astype(np.float32), BOUNDING_RADIUS / radius
    parts.vertices = ((parts.vertices - center) * parts.scale).astype(np.float32)
    return parts


def _split(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """The JSON document and the binary chunk of a GLB container."""
    magic, version, length = struct.unpack_from("<4sII", data, 0)
    if magic != b"glTF" or version != 2:
        raise MeshError(f"{name}: not a binary glTF 2.0 file")
    if length > len(data):
        raise MeshError(f"{name}: truncated, {len(data)} of {length} bytes")
    document: dict[str, Any] | None = None
    binary, at = b"", 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        chunk = data[at + 8 : at + 8 + size]
        if len(chunk) < size:
            raise MeshError(f"{name}: truncated chunk")
        if kind == b"JSON" and document is None:
            document = json.loads(chunk)
        elif kind == b"BIN\0" and not binary:
            binary = chunk
        at += 8 + size
    if document is None:
        raise MeshError(f"{name}: no JSON chunk")
    return document, binary


class _Reader:
    def __init__(self, document: dict[str, Any], binary: bytes, name: str) -> None:
        self.document, self.binary, self.name = document, binary, name
        self.faces = 0
        self.textures: list[NDArray[np.uint8]] = []
        self.cutoffs: list[float] = []
        self.slots: dict[int | None, int] = {}
        unsupported = set(document.get("extensionsRequired", [])) - {"KHR_materials_unlit", "KHR_texture_transform"}
        if unsupported:
            raise MeshError(f"{name}: needs {', '.join(sorted(unsupported))}, which this reader does not know")

    def read(self) -> TexturedObject:
        blocks: list[tuple[Floats, Ints, Floats, Floats, int]] = []
        roots = self._roots()
        stack = [(index, np.eye(4), 0) for index in reversed(roots)]
        while stack:
            index, parent, depth = stack.pop()
            if depth > 100:
                raise MeshError(f"{self.name}: scene graph deeper than 100 nodes, or a cycle")
            node = self.document["nodes"][index]
            matrix = parent @ _node_matrix(node)
            if "mesh" in node:
                for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
                    block = self._primitive(primitive, matrix)
                    if block is not None:
                        blocks.append(block)
            stack.extend((child, matrix, depth + 1) for child in reversed(node.get("children", [])))
        if not blocks:
            raise MeshError(f"{self.name}: no triangles")
        offsets = np.cumsum([0] + [len(block[0]) for block in blocks])
        return TexturedObject(
            vertices=np.concatenate([block[0] for block in blocks]),
            faces=np.concatenate([block[1] + offset for block, offset in zip(blocks, offsets)]).astype(np.int32),
            uvs=np.concatenate([block[2] for block in blocks]),
            colors=np.concatenate([block[3] for block in blocks]),
            materials=np.concatenate([np.full(len(block[1]), block[4], np.int32) for block in blocks]),
            textures=self.textures,
            cutoffs=np.array(self.cutoffs, np.float32),
            center=np.zeros(3, np.float32),
            scale=1.0,
        )

    def _roots(self) -> list[int]:
        scenes = self.document.get("scenes")
        if scenes:
            return list(scenes[self.document.get("scene", 0)].get("nodes", []))
        children = {child for node in self.document["nodes"] for child in node.get("children", [])}
        return [index for index in range(len(self.document["nodes"])) if index not in children]

    def _primitive(self, primitive: dict[str, Any], matrix: NDArray[np.float64]) -> tuple[Floats, Ints, Floats, Floats, int] | None:
        if primitive.get("mode", 4) != 4:
            return None  # points, lines and strips carry no area in the sets that we read
        attributes = primitive["attributes"]
        positions = self._accessor(attributes["POSITION"]).astype(np.float64)
        count = len(positions)
        indices = self._accessor(primitive["indices"]).reshape(-1) if "indices" in primitive else np.arange(count)
        faces = indices[: len(indices) // 3 * 3].reshape(-1, 3).astype(np.int64)
        self.faces += len(faces)
        if self.faces > MAX_FACES:
            raise MeshError(f"{self.name}: more than {MAX_FACES} faces")
        if len(faces) and (faces.max() >= count or faces.min() < 0):
            raise MeshError(f"{self.name}: face indices beyond the vertices")
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, ::-1]
        placed = positions @ matrix[:3, :3].T + matrix[:3, 3]
        material = self._material(primitive.get("material"))
        factor, texcoord = material["factor"], material["texcoord"]
        uvs = self._accessor(attributes[texcoord]) if texcoord in attributes else np.zeros((count, 2))
        colors = np.ones((count, 3))
        if "COLOR_0" in attributes:
            colors = self._accessor(attributes["COLOR_0"])[:, :3]
        world = placed[:, [2, 0, 1]]  # inverse of the export's (x, y, z) -> (y, z, x)
        return (
            world.astype(np.float32),
            np.ascontiguousarray(faces, np.int32),
            np.asarray(uvs, np.float32),
            np.asarray(colors * factor, np.float32),
            material["slot"],
        )

    def _material(self, index: int | None) -> dict[str, Any]:
        material = self.document["materials"][index] if index is not None else {}
        pbr = material.get("pbrMetallicRoughness", {})
        texture = pbr.get("baseColorTexture")
        if index not in self.slots:
            self.slots[index] = len(self.textures)
            self.textures.append(self._picture(texture["index"]) if texture else np.full((1, 1, 4), 255, np.uint8))
            masked = material.get("alphaMode") == "MASK"
            self.cutoffs.append(float(material.get("alphaCutoff", MASK_CUTOFF)) if masked else 0.0)
        return {
            "slot": self.slots[index],
            "factor": np.asarray(_to_srgb(pbr.get("baseColorFactor", [1, 1, 1, 1])[:3])),
            "texcoord": f"TEXCOORD_{texture.get('texCoord', 0) if texture else 0}",
        }

    def _picture(self, texture: int) -> NDArray[np.uint8]:
        image = self.document["images"][self.document["textures"][texture]["source"]]
        if "bufferView" not in image:
            raise MeshError(f"{self.name}: textures in other files are not read")
        with Image.open(io.BytesIO(self._view(image["bufferView"]))) as picture:
            if picture.width * picture.height > MAX_TEXTURE_PIXELS:
                raise MeshError(f"{self.name}: a texture of {picture.width} x {picture.height} pixels")
            return np.asarray(picture.convert("RGBA"))

    def _view(self, index: int) -> bytes:
        view = self.document["bufferViews"][index]
        if view.get("buffer", 0) != 0:
            raise MeshError(f"{self.name}: buffers in other files are not read")
        start = view.get("byteOffset", 0)
        if start + view["byteLength"] > len(self.binary):
            raise MeshError(f"{self.name}: a buffer view beyond the end of the file")
        return self.binary[start : start + view["byteLength"]]

    def _accessor(self, index: int) -> NDArray[Any]:
        accessor = self.document["accessors"][index]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise MeshError(f"{self.name}: sparse or empty accessors are not read")
        kind = np.dtype(_COMPONENTS[accessor["componentType"]])
        width, count = _WIDTHS[accessor["type"]], accessor["count"]
        data = self._view(accessor["bufferView"])[accessor.get("byteOffset", 0) :]
        stride = self.document["bufferViews"][accessor["bufferView"]].get("byteStride", 0) or kind.itemsize * width
        if count < 0 or (count and (count - 1) * stride + kind.itemsize * width > len(data)):
            raise MeshError(f"{self.name}: an accessor beyond the end of its buffer")
        values = np.ndarray((count, width), kind, data, strides=(stride, kind.itemsize))
        if accessor.get("normalized"):
            return np.maximum(values.astype(np.float32) / float(2 ** (8 * kind.itemsize - (kind.kind == "i")) - 1), -1.0)
        return values.copy()


def _to_srgb(linear: list[float]) -> list[float]:
    """glTF factors are linear, our pictures sRGB; a product in sRGB is exact where the texture is white or absent."""
    return [12.92 * c if c <= 0.0031308 else 1.055 * min(c, 1.0) ** (1 / 2.4) - 0.055 for c in linear]


def _node_matrix(node: dict[str, Any]) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
