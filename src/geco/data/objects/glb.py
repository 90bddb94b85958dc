"""The two containers of glTF 2.0: binary (.glb) and text (.gltf), as a document and a way to its buffers."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

from geco.data.objects.folder import Folder
from geco.data.objects.gltf import read_document
from geco.data.objects.gltf_accessors import Buffers
from geco.data.objects.limits import Limits
from geco.data.objects.names import parent
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup

MAGIC = b"glTF"


def read_gltf(folder: Folder) -> Soup:
    """Read the folder's .glb or .gltf file, told apart by its first bytes.

    The document is read and its counts are checked first; a buffer's bytes are read when something in them is
    needed.
    """
    size = folder.size(folder.own)
    folder.spend_file(folder.own)
    if _range(folder, 0, 4) == MAGIC:
        text, body = _chunks(folder, size)
    else:
        text, body = _limited(folder, 0, size), None
    document = _parse(text, folder.name, folder.limits)
    return read_document(document, Buffers(document, body, _uri_reader(folder), folder))


def _chunks(folder: Folder, size: int) -> tuple[bytes, Callable[[], bytes] | None]:
    """The JSON chunk and a reader of the BIN chunk (Khronos, glTF 2.0, section 4)."""
    name, found = folder.name, {}  # type: str, dict[bytes, tuple[int, int]]
    with folder.open(folder.own) as file:
        header = file.read(12)
        if len(header) < 12:
            raise ObjectError(Reason.BROKEN, f"{name}: truncated, {len(header)} of 12 header bytes")
        _, version, length = struct.unpack("<4sII", header)
        if version != 2:
            raise ObjectError(Reason.UNSUPPORTED, f"{name}: glTF version {version}, only 2 is read")
        if length > size:
            raise ObjectError(Reason.BROKEN, f"{name}: truncated, {size} of {length} bytes")
        at = 12
        while at + 8 <= length and len(found) < 2:
            file.seek(at)
            count, kind = struct.unpack("<I4s", file.read(8))
            if at + 8 + count > length:
                raise ObjectError(Reason.BROKEN, f"{name}: a chunk beyond the end of the file")
            if kind in (b"JSON", b"BIN\0"):
                found.setdefault(kind, (at + 8, count))
            at += 8 + count
            folder.tick()  # a file of empty chunks
    if b"JSON" not in found:
        raise ObjectError(Reason.BROKEN, f"{name}: no JSON chunk")
    text = _limited(folder, *found[b"JSON"])
    if b"BIN\0" not in found:
        return text, None
    start, count = found[b"BIN\0"]
    return text, lambda: _range(folder, start, count)


def _limited(folder: Folder, start: int, count: int) -> bytes:
    if count > folder.limits.json_bytes:
        raise ObjectError(Reason.TOO_LARGE, f"{folder.name}: a document of {count >> 20} MiB")
    return _range(folder, start, count)


def _range(folder: Folder, start: int, count: int) -> bytes:
    with folder.open(folder.own) as file:
        file.seek(start)
        return file.read(count)


def _parse(text: bytes, name: str, limits: Limits) -> dict[str, Any]:
    values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    if values > limits.json_values:
        raise ObjectError(Reason.TOO_LARGE, f"{name}: a document of {values} values")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ObjectError(Reason.BROKEN, f"{name}: the document is not an object")
    if not str(document.get("asset", {}).get("version", "2")).startswith("2"):
        raise ObjectError(
            Reason.UNSUPPORTED, f"{name}: glTF version {document['asset']['version']}, only 2 is read"
        )
    return document


def _uri_reader(folder: Folder) -> Callable[[str], bytes]:
    def read(uri: str) -> bytes:
        if uri.startswith("data:"):
            head, _, body = uri.partition(",")
            if not head.endswith(";base64"):
                raise ObjectError(Reason.UNSUPPORTED, f"{folder.name}: a data URI that is not base64")
            return base64.b64decode(body)
        return folder.read(folder.find(uri, parent(folder.own), percent=True))

    return read
