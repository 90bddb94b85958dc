"""Model folders damaged: cards, headers of safetensors, graphs, pickles, bytes, names; hashes made right."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.fuzzing.case import TEXTS, choose, damage, hostile, near, to_json, wrong_value

Files = dict[str, bytes]


def damaged(files: Files, rng: Random) -> tuple[Files, str]:
    """A copy with one or two things wrong, and what."""
    files, done = dict(files), []
    for _ in range(rng.choice((1, 1, 1, 2))):
        if not files:
            break
        name = rng.choice(_likely(list(files), rng))
        kind = choose(rng, {"inside": 8, "bytes": 2, "file": 1})
        if kind == "file":
            done.append(_file(files, name, rng))
        else:
            change = _INSIDE.get(name.rsplit(".", 1)[-1], damage) if kind == "inside" else damage
            files[name] = change(files[name], rng)
            done.append(f"{kind} of {name}")
    if rng.random() < 0.8:
        signed(files)
    return files, ", ".join(done)


def _likely(names: list[str], rng: Random) -> list[str]:
    """Cards more often than weights."""
    cards = [name for name in names if name.endswith((".json", ".jsonl"))]
    return cards if cards and rng.random() < 0.6 else names


def _file(files: Files, name: str, rng: Random) -> str:
    kind = rng.choice(("missing", "empty", "renamed", "swapped", "random", "doubled"))
    other = rng.choice(list(files))
    if kind == "missing":
        del files[name]
    elif kind == "renamed":
        files[name + "x"] = files.pop(name)
    elif kind == "swapped":
        files[name], files[other] = files[other], files[name]
    else:
        files[name] = {"empty": b"", "random": rng.randbytes(300), "doubled": files[name] * 2}[kind]
    return f"{kind} {name}"


def signed(files: Files) -> None:
    """Sizes and SHA-256 of every manifest put right, so that what is wrong is read and not only refused."""
    for name, data in list(files.items()):
        if not name.endswith(".json"):
            continue
        try:
            card = json.loads(data)
        except (ValueError, RecursionError):
            continue
        folder, listed = name.rpartition("/")[0], card.get("files") if isinstance(card, dict) else None
        if not isinstance(listed, dict):
            continue
        for each, facts in listed.items():
            body = files.get(f"{folder}/{each}" if folder else each)
            if body is not None and isinstance(facts, dict) and "sha256" in facts:
                facts |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        files[name] = json.dumps(card).encode()


def card(data: bytes, rng: Random) -> bytes:
    """JSON with other values."""
    try:
        return to_json(wrong_value(json.loads(data), rng), rng)
    except (ValueError, RecursionError):
        return damage(data, rng)


def lines(data: bytes, rng: Random) -> bytes:
    """JSON lines with another value in one of them."""
    found = data.split(b"\n")
    at = rng.randrange(len(found))
    found[at] = card(found[at], rng)
    return b"\n".join(found)


def safetensors(data: bytes, rng: Random) -> bytes:
    """Tensors missing, of other shapes, types, names or places; or a header that is not true."""
    try:
        size = struct.unpack_from("<Q", data)[0]
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    except (struct.error, ValueError, UnicodeDecodeError):
        return damage(data, rng)
    names = [name for name in header if name != "__metadata__"]
    change = choose(
        rng, {"values": 3, "type": 2, "shape": 2, "name": 1, "drop": 1, "body": 2, "numbers": 2, "size": 1}
    )
    name = rng.choice(names) if names else "x"
    if change == "values" or not names:
        header = wrong_value(header, rng)
    elif change == "type":
        header[name]["dtype"] = rng.choice(("F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "X", "I32"))
    elif change == "shape":
        shape = header[name]["shape"]
        header[name]["shape"] = rng.choice(
            (shape[::-1], [1, *shape], [], [0], [2**40, 2**40], [-1], [near(side, rng) for side in shape])
        )
    elif change == "name":
        header[name + rng.choice(TEXTS)] = header.pop(name)
    elif change == "drop":
        header.pop(name)
    elif change == "body":
        body = damage(body, rng)
    elif change == "numbers":
        body = rng.choice((b"\0", b"\xff", b"\x00\x00\xc0\x7f", b"\xff\xff\x7f\x7f")) * len(body)
        body = body[: len(data) - 8 - size]
    text = to_json(header, rng)
    text += b" " * (-len(text) % 8)
    said = rng.choice((0, 2**63, len(text) + 8, 2**32)) if change == "size" else len(text)
    return struct.pack("<Q", said) + text + body


def graph(data: bytes, rng: Random) -> bytes:
    """An ONNX graph with other shapes, names, operators, constants or attributes."""
    from google.protobuf.message import DecodeError

    from benchmarks.fuzzing.small_graphs import load

    try:
        model = load(data)
    except DecodeError:
        return damage(data, rng)
    if not model.graph.node:
        return damage(data, rng)
    node = rng.choice(list(model.graph.node))
    values = [*model.graph.input, *model.graph.output]
    value = rng.choice(values) if values else None
    change = rng.choice(("operator", "input", "shape", "name", "constant", "asked", "drop", "opset", "type"))
    if change == "operator":
        node.op_type = rng.choice(
            (
                "Identity",
                "Relu",
                "Loop",
                "If",
                "Scan",
                "Nothing",
                "MatMul",
                "Reshape",
                "Expand",
                "Range",
                "NonZero",
            )
        )
    elif change == "input" and node.input:
        node.input[0] = rng.choice(("", "x", node.output[0], *[each.name for each in model.graph.input]))
    elif change == "shape" and value is not None and value.type.tensor_type.shape.dim:
        rng.choice(list(value.type.tensor_type.shape.dim)).dim_value = rng.choice((0, 1, 7, 2**20, 2**40))
    elif change == "name" and value is not None:
        value.name = rng.choice(("x", "", "picture", "points"))
    elif change == "constant" and model.graph.initializer:
        constant = rng.choice(list(model.graph.initializer))
        if rng.random() < 0.5:
            constant.raw_data = rng.choice((b"\xff", b"\0", b"\x7f")) * len(constant.raw_data)
        else:
            constant.dims.append(rng.choice((0, 1, 2, 2**33)))
    elif change == "asked" and model.graph.initializer:
        _ask(rng.choice(list(model.graph.initializer)), node, rng)
    elif change == "drop":
        del model.graph.node[rng.randrange(len(model.graph.node))]
    elif change == "type" and value is not None:
        value.type.tensor_type.elem_type = rng.choice((0, 2, 7, 11, 99))
    else:
        model.opset_import[0].version = rng.choice((1, 7, 13, 999, 0))
    return bytes(model.SerializeToString())


def _ask(tensor: Any, node: Any, rng: Random) -> None:
    """Another request for weights: another name, type, shape or place, inside a node, or twice."""
    change = rng.choice(("name", "type", "shape", "place", "given", "inside"))
    if change == "name":
        tensor.name = rng.choice(("x", "", "mix", "tint", "ball", "radius", *node.input))
    elif change == "type":
        tensor.data_type = rng.choice((0, 1, 7, 10, 11, 99))
    elif change == "shape":
        tensor.dims.append(rng.choice((0, 1, 2, 2**33, 2**63 - 1)))
    elif change == "given":
        del tensor.external_data[:]
        tensor.data_location = rng.choice((0, 1))
    else:
        outside = tensor
        if change == "inside":
            outside = node.attribute.add(name="value", type=4).t
            outside.CopyFrom(tensor)
        outside.data_location = 1
        place = rng.choice(("/dev/zero", "../model.safetensors", "*/_ORT_MEM_ADDR_/*", "", "x" * 5000))
        outside.external_data.add(key=rng.choice(("location", "offset", "length", "x")), value=place)


OPCODES = (
    b"(.0123FHIJKLMNPRTUVXQabc})e]jhgilopqrstu"
    b"\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8c\x8d\x93\x94\x95\x96\x97"
)


class _Odd:
    """Pickles as a call that no loader of weights may make (and that does no harm where one does)."""

    def __init__(self, rng: Random) -> None:
        self.call = rng.choice(
            ((print, ("x",)), (len, ([],)), (dict, ()), (getattr, ("", "upper")), (bytearray, (10**9,)))
        )

    def __reduce__(self) -> Any:
        return self.call


def checkpoint(data: bytes, rng: Random) -> bytes:
    """A torch file: its pickle damaged or replaced, its archive's entries damaged."""
    if not data.startswith(b"PK"):
        return _program(data, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            entries = {name: pack.read(name) for name in pack.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        return damage(data, rng)
    main = next((name for name in entries if name.endswith("data.pkl")), None)
    name = main if main and rng.random() < 0.7 else rng.choice(list(entries))
    if name == main:
        entries[name] = _program(entries[name], rng)
    elif rng.random() < 0.3:
        del entries[name]
    else:
        entries[name] = damage(entries[name], rng) if entries[name] else b"x"
    stream = io.BytesIO()
    with zipfile.ZipFile(
        stream, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    ) as pack:
        for each, body in entries.items():
            pack.writestr(each, body)
    return stream.getvalue()


def _program(data: bytes, rng: Random) -> bytes:
    """A pickle with other opcodes, or another pickle."""
    kind = choose(rng, {"opcodes": 5, "damage": 3, "other": 2, "random": 1})
    if kind == "opcodes" and data:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(min(len(changed), rng.choice((200, len(changed)))))
            changed[at] = rng.choice(OPCODES)
        return bytes(changed)
    if kind == "other":
        return pickle.dumps(
            rng.choice(
                (
                    _Odd(rng),
                    hostile(rng),
                    {"state_dict": hostile(rng)},
                    {"state_dict": {"lrm_generator.x": 1}},
                )
            ),
            2,
        )
    return (
        bytes(rng.choice(OPCODES) for _ in range(rng.choice((3, 40))))
        if kind == "random"
        else damage(data, rng)
    )


_INSIDE: dict[str, Callable[[bytes, Random], bytes]] = {
    "json": card,
    "jsonl": lines,
    "safetensors": safetensors,
    "onnx": graph,
    "ckpt": checkpoint,
    "pt": checkpoint,
    "bin": checkpoint,
}
