"""A look at an ONNX file before ONNX Runtime sees it: nothing in it may lead to another file.

A graph can keep its numbers in files beside it, under names of its own choosing: absolute ones, links, pipes.
The exporter keeps all numbers inside, so a graph that does not is refused. Only protobuf's wire format is
read here; the numbers of fields are those of onnx.proto (ONNX IR version 3 and later).
"""

from __future__ import annotations

from collections.abc import Iterator

_TENSOR = {13: "external", 14: "location"}
# message -> field number -> the message in it, as far as a tensor can be reached
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": _TENSOR,
}
_DEPTH = 64


def reads_other_files(data: bytes) -> bool:
    """Whether a tensor of the graph lies in another file. Raises ValueError for bytes that are no
    protobuf message.
    """
    return _visit(memoryview(data), "model", _DEPTH)


def _visit(message: memoryview, kind: str, depth: int) -> bool:
    if depth == 0:
        raise ValueError("it nests too deeply")
    for number, value in _fields(message):
        inner = _FIELDS[kind].get(number)
        if inner == "external" or (inner == "location" and value != 0):
            return True
        if isinstance(value, memoryview) and inner in _FIELDS and _visit(value, inner, depth - 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values: a number of varints, the bytes of what has a length; fixed ones
    are passed over.
    """
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
        elif wire == 2:
            length, place = _varint(message, place)
            if length > end - place:
                raise ValueError("it is cut off")
            yield number, message[place : place + length]
            place += length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            raise ValueError(f"it has a field of wire type {wire}")
    if place > end:
        raise ValueError("it is cut off")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if place >= len(message):
            raise ValueError("it is cut off")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise ValueError("it has a number without end")
