"""Writes small GLB files for tests, from scratch, so that the reader is tested against the format
and not against itself.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


@dataclass
class GlbWriter:
    document: dict[str, Any] = field(
        default_factory=lambda: {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "accessors": [],
            "bufferViews": [],
            "materials": [],
        }
    )
    binary: bytes = b""

    def view(self, data: bytes) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        self.document["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        )
        self.binary += data
        return len(self.document["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, kind: str, **extra: Any) -> int:
        component = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121}[str(values.dtype)]
        entry = {
            "bufferView": self.view(values.tobytes()),
            "componentType": component,
            "count": len(values),
            "type": kind,
            **extra,
        }
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def texture(self, picture: np.ndarray) -> int:
        """picture (H, W, 3 or 4) uint8 -> texture index."""
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        self.document.setdefault("images", []).append(
            {"bufferView": self.view(stream.getvalue()), "mimeType": "image/png"}
        )
        self.document.setdefault("textures", []).append({"source": len(self.document["images"]) - 1})
        return len(self.document["textures"]) - 1

    def material(self, texture: int | None = None, factor: list[float] | None = None, **extra: Any) -> int:
        pbr: dict[str, Any] = {}
        if texture is not None:
            pbr["baseColorTexture"] = {"index": texture}
        if factor is not None:
            pbr["baseColorFactor"] = factor
        self.document["materials"].append({"pbrMetallicRoughness": pbr, **extra})
        return len(self.document["materials"]) - 1

    def mesh(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        uvs: np.ndarray | None = None,
        colors: np.ndarray | None = None,
        material: int | None = None,
        **node: Any,
    ) -> int:
        """One primitive in one node at the root; returns the node's index."""
        attributes = {"POSITION": self.accessor(np.asarray(vertices, np.float32), "VEC3")}
        if uvs is not None:
            attributes["TEXCOORD_0"] = self.accessor(np.asarray(uvs, np.float32), "VEC2")
        if colors is not None:
            attributes["COLOR_0"] = self.accessor(np.asarray(colors, np.uint8), "VEC4", normalized=True)
        primitive: dict[str, Any] = {
            "attributes": attributes,
            "indices": self.accessor(np.asarray(faces, np.uint16).reshape(-1), "SCALAR"),
        }
        if material is not None:
            primitive["material"] = material
        self.document["meshes"].append({"primitives": [primitive]})
        self.document["nodes"].append({"mesh": len(self.document["meshes"]) - 1, **node})
        self.document["scenes"][0]["nodes"].append(len(self.document["nodes"]) - 1)
        return len(self.document["nodes"]) - 1

    def encode(self) -> bytes:
        self.document["buffers"] = [{"byteLength": len(self.binary)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        body = self.binary + b"\0" * (-len(self.binary) % 4)
        chunks = (
            struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
        )
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def save(self, path: Path) -> Path:
        path.write_bytes(self.encode())
        return path


def box(size: tuple[float, float, float] = (1, 1, 1)) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (8, 3) and outward faces (12, 3) of a box about the origin."""
    corners = (
        np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
        * np.asarray(size, np.float32)
        / 2
    )
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])
