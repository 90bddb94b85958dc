"""The binary container of glTF 2.0 (sections of the Khronos specification in the comments):
accessors, views, chunks.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC, _VERSION, _JSON_CHUNK, _BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942  # 4.4.1, 4.4.3
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963  # 5.11.5 buffer view targets
# 3.6.2.2 component types
_COMPONENT = {
    np.dtype(np.int16): 5122,
    np.dtype(np.uint16): 5123,
    np.dtype(np.uint32): 5125,
    np.dtype(np.float32): 5126,
}
_SHAPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Binary:
    """The binary chunk, growing: every view starts at a multiple of 4 bytes (3.6.2.4)."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None, stride: int | None = None) -> int:
        """Append bytes; returns the number of their buffer view."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.size, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        if stride is not None:
            view["byteStride"] = stride
        self.views.append(view)
        padding = -len(data) % 4
        self.chunks += [data, bytes(padding)]
        self.size += len(data) + padding
        return len(self.views) - 1

    def accessor(
        self, values: NDArray[Any], target: int, bounds: bool = False, normalized: bool = False
    ) -> int:
        """Append an (N, K) array; returns the number of its accessor. Elements of attributes
        start at multiples of 4 bytes.
        """
        count, width = values.shape
        unit = values.dtype.itemsize
        spare = -width * unit % 4 // unit if target == ARRAY_BUFFER else 0  # 3.6.2.4
        padded = np.pad(values, ((0, 0), (0, spare))) if spare else np.ascontiguousarray(values)
        accessor: dict[str, Any] = {
            "bufferView": self.view(padded.tobytes(), target, (width + spare) * unit if spare else None),
            "componentType": _COMPONENT[values.dtype],
            "count": count,
            "type": _SHAPE[width],
        }
        # float32 values, whose decimal form reads back to the same float32: required for POSITION (3.6.2.5)
        if bounds:
            accessor["min"], accessor["max"] = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        if normalized:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def described(self, count: int, like: NDArray[Any], normalized: bool = False) -> int:
        """Append an accessor of ``count`` elements whose values are elsewhere, in an extension; returns its
        number. ``like``: an array of the same type and width.
        """
        accessor: dict[str, Any] = {
            "componentType": _COMPONENT[like.dtype],
            "count": count,
            "type": _SHAPE[like.shape[1]],
        }
        if normalized:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def container(document: bytes, binary: list[bytes]) -> bytes:
    """4.4: header, JSON chunk padded with spaces, binary chunk padded with zeros (already)."""
    document += b" " * (-len(document) % 4)
    length = sum(len(part) for part in binary)
    total = 12 + 8 + len(document) + 8 + length
    head = struct.pack("<III", _MAGIC, _VERSION, total) + struct.pack("<II", len(document), _JSON_CHUNK)
    return b"".join([head, document, struct.pack("<II", length, _BIN_CHUNK), *binary])
