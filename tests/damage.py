"""What disks, transfers and ill will do to files: for tests that say what a reader makes of it."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

# Values that a field of JSON was never meant to have.
ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1,
        2,
        7,
        10**9,
        2**63,
        -(2**63),
        10**400,
        0.5,
        -0.0,
        1e308,
        "",
        "x",
        "../../x",
        "/dev/zero",
        "\0",
    ),
    *("é" * 300, [], [[]], {}, {"a": {}}, ["x"], [0], [1.5, "x"], [0] * 5000),
]


def damaged(data: bytes, rng: random.Random, anywhere: bool = True) -> bytes:
    """The bytes after one accident: cut, bits turned, a piece lost, doubled or zeroed, replaced; JSON also
    field by field.

    Args:
        anywhere: False cuts the second half off, which nothing survives.
    """
    if not anywhere:
        return data[: len(data) // 2]
    choice = rng.randrange(8)
    if choice >= 5 and data[:1] in b"{[":
        try:
            return json.dumps(odd(json.loads(data), rng)).encode()
        except (ValueError, RecursionError):
            pass
    start = rng.randrange(len(data) + 1)
    stop = min(len(data), start + rng.choice([1, 4, 64, 1000, len(data)]))
    match choice:
        case 0:
            return data[:start]
        case 1:
            return data[:start] + data[stop:]
        case 2:
            return data[:stop] + data[start:]
        case 3:
            return data[:start] + bytes(stop - start) + data[stop:]
        case 4:
            return rng.choice(
                [
                    b"",
                    b"[" * 100_000,
                    b'{"a":' * 50_000,
                    b"\xff\xfe",
                    b"NaN",
                    b'{"a": 1, "a": 2}',
                    rng.randbytes(300),
                ]
            )
    flipped = bytearray(data)
    for _ in range(rng.choice([1, 3, 30])):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def odd(value: Any, rng: random.Random) -> Any:
    """Parsed JSON with one thing in it gone, doubled or replaced by something of another kind."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        if rng.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if rng.random() < 0.1:
            return {**value, rng.choice(["more", "../x", "", name + "s"]): rng.choice(ODD)}
        return {**value, name: odd(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], *rng.choice([[], [odd(value[at], rng)], [value[at]] * 2]), *value[at + 1 :]]
    return rng.choice(ODD)


def signed(folder: Path, name: str, data: bytes) -> None:
    """Another file in a folder of weights, and a manifest that knows it."""
    (folder / name).write_bytes(data)
    card = json.loads((folder / "config.json").read_text())
    card["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "config.json").write_text(json.dumps(card))
