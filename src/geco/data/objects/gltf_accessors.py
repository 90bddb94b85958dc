"""Numbers out of glTF buffers: every offset, length and count is checked before it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.folder import Folder
from geco.data.objects.refusal import ObjectError, Reason

COMPONENTS = {
    5120: np.int8,
    5121: np.uint8,
    5122: np.int16,
    5123: np.uint16,
    5125: np.uint32,
    5126: np.float32,
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def whole(value: Any) -> int:
    """A count or an index of a document; raises ValueError for anything but a non-negative whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < 0:
        raise ValueError(f"{value!r:.40} is not a count")
    return int(value)


def item(document: dict[str, Any], kind: str, index: Any) -> dict[str, Any]:
    """Entry ``index`` of a list of the document; raises IndexError or TypeError."""
    entry = document[kind][whole(index)]
    if not isinstance(entry, dict):
        raise TypeError(f"an entry of {kind} is not an object")
    return entry


class Buffers:
    """The buffers of a document.

    Args:
        body: reads the BIN chunk of a GLB; None without one.
        read_uri: reads a data URI or a file beside the document.
        folder: of the object, with its name and limits.
    """

    def __init__(
        self,
        document: dict[str, Any],
        body: Callable[[], bytes] | None,
        read_uri: Callable[[str], bytes],
        folder: Folder,
    ) -> None:
        self.document, self.body, self.read_uri = document, body, read_uri
        self.name, self.limits, self.folder = folder.name, folder.limits, folder
        self.loaded: dict[int, bytes] = {}
        # positions, colours, coordinates, joints, weights, indices
        self._elements_left = 20 * self.limits.faces
        self._empty_left = self.limits.empty_elements

    def count(self, index: Any) -> int:
        """Elements of an accessor, without reading them."""
        count = whole(item(self.document, "accessors", index)["count"])
        if count > 3 * self.limits.faces:
            raise ObjectError(Reason.TOO_MANY_FACES, f"{self.name}: an accessor of {count} elements")
        return count

    def view(self, index: Any) -> memoryview:
        """The bytes of a buffer view."""
        view = item(self.document, "bufferViews", index)
        if "EXT_meshopt_compression" in view.get("extensions", {}):
            raise ObjectError(Reason.UNSUPPORTED, f"{self.name}: EXT_meshopt_compression is not read")
        buffer = self._buffer(whole(view.get("buffer", 0)))
        start, length = whole(view.get("byteOffset", 0)), whole(view["byteLength"])
        if start + length > len(buffer):
            raise ObjectError(Reason.BROKEN, f"{self.name}: a buffer view beyond the end of its buffer")
        return memoryview(buffer)[start : start + length]

    def read(self, index: Any, rows: NDArray[np.integer] | None = None) -> NDArray[Any]:
        """(N, width) values of an accessor; normalised integers as float32 in [-1, 1].

        Args:
            rows: (N,) the elements to read, within the accessor's count; all of them by default.
        """
        accessor = item(self.document, "accessors", index)
        kind, width = np.dtype(COMPONENTS[accessor["componentType"]]), WIDTHS[accessor["type"]]
        count = self.count(index)
        whole = rows is None or "sparse" in accessor or "bufferView" not in accessor
        self._spend(count if whole or rows is None else len(rows), "bufferView" not in accessor)
        if "bufferView" in accessor:
            values = self._strided(accessor, accessor["bufferView"], kind, width, count)
        else:
            values = np.zeros((count, width), kind)  # the specification's value without a view
        if "sparse" in accessor:
            values = self._sparse(values.copy(), accessor["sparse"], kind, width)
        values = values.copy() if rows is None else values[rows]
        if accessor.get("normalized") and kind.kind in "iu":
            return np.maximum(
                values.astype(np.float32) / float(2 ** (8 * kind.itemsize - (kind.kind == "i")) - 1), -1.0
            )
        return values

    def _spend(self, count: int, empty: bool) -> None:
        """Count elements before they are made: by far the most that a small document can ask for."""
        self.folder.tick()
        self._elements_left -= count
        if empty:
            self._empty_left -= count
        if self._elements_left < 0:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: its accessors hold too many elements in all")
        if self._empty_left < 0:
            most = self.limits.empty_elements
            raise ObjectError(
                Reason.TOO_LARGE, f"{self.name}: more than {most} elements without bytes behind them"
            )

    def _buffer(self, index: int) -> bytes:
        if index not in self.loaded:
            buffer = item(self.document, "buffers", index)
            if "uri" in buffer:
                self.loaded[index] = self.read_uri(buffer["uri"])
            elif index == 0 and self.body is not None:
                self.loaded[index] = self.body()
            else:
                raise ObjectError(Reason.BROKEN, f"{self.name}: buffer {index} has no bytes")
        return self.loaded[index]

    def _strided(
        self, place: dict[str, Any], view: Any, kind: np.dtype[Any], width: int, count: int
    ) -> NDArray[Any]:
        data = self.view(view)[whole(place.get("byteOffset", 0)) :]
        stride = whole(item(self.document, "bufferViews", view).get("byteStride", 0)) or kind.itemsize * width
        if count and (count - 1) * stride + kind.itemsize * width > len(data):
            raise ObjectError(Reason.BROKEN, f"{self.name}: an accessor beyond the end of its buffer view")
        if not count:
            return np.zeros((0, width), kind)
        return np.ndarray((count, width), kind.newbyteorder("<"), data, strides=(stride, kind.itemsize))

    def _sparse(
        self, values: NDArray[Any], sparse: dict[str, Any], kind: np.dtype[Any], width: int
    ) -> NDArray[Any]:
        count = whole(sparse["count"])
        if count > len(values):
            raise ObjectError(
                Reason.BROKEN, f"{self.name}: a sparse accessor with more changes than elements"
            )
        index_kind = np.dtype(COMPONENTS[sparse["indices"]["componentType"]])
        rows = self._strided(sparse["indices"], sparse["indices"]["bufferView"], index_kind, 1, count)[:, 0]
        if index_kind.kind != "u" or (count and rows.max() >= len(values)):
            raise ObjectError(
                Reason.BROKEN, f"{self.name}: a sparse accessor that changes elements beyond its end"
            )
        values[rows] = self._strided(sparse["values"], sparse["values"]["bufferView"], kind, width, count)
        return values
