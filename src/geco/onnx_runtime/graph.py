"""A look at an ONNX file before ONNX Runtime sees it: which weights it asks for, and that nothing else in it
leads to another file.

A graph can keep its numbers in files beside it, under names of its own choosing: absolute ones, links, pipes,
    places in memory. The exporter's graphs name their weights in this way, which are then given from memory;
    anything else that is not in the file itself is refused. Only protobuf's wire format is read here; the
    numbers of fields are those of onnx.proto (ONNX IR version 3 and later).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# message -> field number -> the message in it, as far as a tensor can be reached
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_WEIGHTS = ("model", "graph", "tensor")  # the path of the main graph's own initializers
_DIMS, _TYPE, _NAME, _EXTERNAL, _LOCATION = 1, 2, 8, 13, 14  # of a tensor
_TYPES = {1: "float32", 10: "float16"}
_DEPTH = 64
_LARGEST = 2**40  # of a tensor's side


@dataclass(frozen=True)
class Wanted:
    """A tensor that a graph asks for: its type as numpy names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def wanted_weights(data: bytes) -> dict[str, Wanted]:
    """Name -> type and shape of the tensors that the main graph wants to be given.

    Raises ValueError for bytes that are no protobuf message, and for a tensor anywhere else that is not in
    them.
    """
    found: dict[str, Wanted] = {}
    for path, tensor in _tensors(memoryview(data), ("model",)):
        fields = list(_fields(tensor))
        if not any(number == _EXTERNAL or (number == _LOCATION and value) for number, value in fields):
            continue
        if path != _WEIGHTS:
            raise ValueError("it keeps numbers in other files")
        name, wanted = _wanted(fields)
        if name in found:
            raise ValueError(f"it asks for {name!r} twice")
        found[name] = wanted
    return found


def _wanted(fields: list[tuple[int, int | memoryview]]) -> tuple[str, Wanted]:
    name, kind, shape = "", 0, []
    for number, value in fields:
        if number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode()  # UnicodeDecodeError is a ValueError
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _DIMS:
            shape += [value] if isinstance(value, int) else list(_packed(value))
    if kind not in _TYPES or any(not 0 < side < _LARGEST for side in shape):
        raise ValueError(f"it asks for {name!r}, of a type or shape that no weights have")
    return name, Wanted(_TYPES[kind], tuple(shape))


def _tensors(message: memoryview, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], memoryview]]:
    """Every tensor in a message, with the messages that lead to it."""
    if len(path) > _DEPTH:
        raise ValueError("it nests too deeply")
    if path[-1] == "tensor":
        yield path, message
        return
    for number, value in _fields(message):
        inner = _FIELDS[path[-1]].get(number)
        if inner is not None and isinstance(value, memoryview):
            yield from _tensors(value, (*path, inner))


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


def _packed(message: memoryview) -> Iterator[int]:
    place = 0
    while place < len(message):
        value, place = _varint(message, place)
        yield value


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
