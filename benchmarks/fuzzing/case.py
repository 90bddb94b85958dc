"""One input of the fuzzer, and the damage that is done to bytes and to JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

Make = Callable[[Random], "Case"]

# Numbers that headers and counts are replaced by: the ends of the integer types, and what multiplies past
# them.
NUMBERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, -1)
TEXTS = ("", "x", "../../x", "/etc/passwd", "\0", "é模型", "a" * 300, "C:\\x", "NaN", "0", "1e999", "\ud800")


@dataclass(frozen=True)
class Case:
    """An input: files, and how they are tried.

    Attributes:
        about: what was generated, for people.
        files: names (forward slashes) and contents.
        how: options of the try; JSON.
    """

    about: str
    files: dict[str, bytes]
    how: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """The files below ``folder``."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def save(self, folder: Path) -> None:
        """The files and ``how.json``, for a report."""
        self.write(folder)
        facts = {"about": self.about, "how": self.how}
        (folder / "how.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def choose(rng: Random, options: dict[Any, float]) -> Any:
    """One of the keys, as often as its value says."""
    return rng.choices(list(options), list(options.values()))[0]


def random_bytes(rng: Random, count: int) -> bytes:
    """So many bytes."""
    return rng.randbytes(count)


def damage(data: bytes, rng: Random, other: bytes = b"") -> bytes:
    """``data`` with one to four kinds of damage; ``other`` is what pieces are taken from."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not changed:
            break
        kind = choose(rng, _DAMAGE)
        kind(changed, rng, other or data)
    return bytes(changed)


def _place(changed: bytearray, rng: Random) -> int:
    """Headers are hit as often as bodies."""
    return rng.randrange(min(len(changed), 64) if rng.random() < 0.5 else len(changed))


def _flip(changed: bytearray, rng: Random, _: bytes) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_place(changed, rng)] ^= 1 << rng.randrange(8)


def _replace(changed: bytearray, rng: Random, _: bytes) -> None:
    start = _place(changed, rng)
    end = min(start + rng.choice((1, 1, 2, 16, 200)), len(changed))
    changed[start:end] = (
        bytes([rng.choice((0, 255, 32))]) * (end - start)
        if rng.random() < 0.5
        else rng.randbytes(end - start)
    )


def _number(changed: bytearray, rng: Random, _: bytes) -> None:
    width = rng.choice((1, 2, 4, 4, 8))
    value = rng.choice(NUMBERS) % (1 << 8 * width)
    start = _place(changed, rng)
    changed[start : start + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _truncate(changed: bytearray, rng: Random, _: bytes) -> None:
    del changed[_place(changed, rng) :]


def _cut(changed: bytearray, rng: Random, _: bytes) -> None:
    start = _place(changed, rng)
    del changed[start : start + rng.choice((1, 4, 64, 1000))]


def _repeat(changed: bytearray, rng: Random, _: bytes) -> None:
    start = _place(changed, rng)
    piece = changed[start : start + rng.choice((1, 4, 64, 1000))]
    changed[start:start] = piece * rng.choice((1, 2, 20))


def _swap(changed: bytearray, rng: Random, _: bytes) -> None:
    size = rng.choice((4, 12, 64, 500))
    first, second = sorted((_place(changed, rng), _place(changed, rng)))
    if first + size <= second:
        one, two = changed[first : first + size], changed[second : second + size]
        changed[second : second + size], changed[first : first + size] = one, two


def _splice(changed: bytearray, rng: Random, other: bytes) -> None:
    del changed[_place(changed, rng) :]
    changed += other[rng.randrange(len(other)) :]


def _append(changed: bytearray, rng: Random, _: bytes) -> None:
    changed += rng.randbytes(rng.choice((1, 30, 3000)))


_DAMAGE: dict[Callable[[bytearray, Random, bytes], None], float] = {
    _flip: 5, _replace: 3, _number: 4, _truncate: 2, _cut: 1, _repeat: 1, _swap: 1, _splice: 2, _append: 0.5,
}  # fmt: skip


def hostile(rng: Random) -> Any:
    """A JSON value that a field is not likely to expect."""
    return choose(rng, {_hostile_number: 6, _hostile_text: 3, _hostile_list: 3})(rng)


def _hostile_number(rng: Random) -> Any:
    others = (
        None,
        True,
        False,
        0.5,
        -0.5,
        1e-30,
        1e308,
        -1e308,
        2**53,
        2**70,
        10**400,
        float("nan"),
        float("inf"),
    )
    return rng.choice(NUMBERS + others + (rng.randrange(-100, 100_000),))


def _hostile_text(rng: Random) -> Any:
    return rng.choice(TEXTS)


def _hostile_list(rng: Random) -> Any:
    if rng.random() < 0.1:
        return nested(rng.choice((20, 200)), rng)
    return rng.choice(
        ([], [[]], {}, [None], [0], [0] * 50, [1e39], [0, "a"], {"a": 1}, [float("nan")] * 3, [{}])
    )


def nested(depth: int, rng: Random) -> Any:
    """Lists or objects in each other."""
    value: Any = 0
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def wrong_value(document: Any, rng: Random) -> Any:
    """A copy of a JSON value with one to three of its values replaced, removed, doubled, moved or added."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holders: list[Any] = []
        _holders(document, holders)
        if not holders:
            return hostile(rng)
        holder = rng.choice(holders)
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        change = choose(rng, {"replace": 6, "near": 4, "remove": 2, "double": 1, "move": 1, "add": 1})
        if change == "remove":
            del holder[key]
        elif change == "double" and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[: rng.choice((1, 3, 100))]))
        elif change == "move":
            holder[key] = copy.deepcopy(rng.choice(holders))
        elif change == "add" and isinstance(holder, dict):
            holder[rng.choice((*TEXTS, "extra"))] = hostile(rng)
        else:
            holder[key] = near(holder[key], rng) if change == "near" else hostile(rng)
    return document


def near(value: Any, rng: Random) -> Any:
    """A value of the same type, a little or much besides."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(
            (0, -value, value + 1, value - 1, value * 2, value * 1000, value * 10**6, value // 2)
        )
    if isinstance(value, float):
        return rng.choice((0.0, -value, value * 1e3, value * 1e30, value / 1e9, value + 1))
    if isinstance(value, str):
        return rng.choice((value + "x", value[:-1], value.upper(), "../" + value, value * 3, value[::-1]))
    return hostile(rng)


def _holders(value: Any, found: list[Any]) -> None:
    """Every object and list in ``value`` with something in it."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict | list) and item:
            found.append(item)
            stack.extend(item.values() if isinstance(item, dict) else item[:200])


def to_json(value: Any, rng: Random) -> bytes:
    """Text of a JSON value, now and then not quite JSON."""
    text = json.dumps(value)
    if rng.random() < 0.02:
        return rng.choice(
            (b"[" * 90_000, text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode(), text.encode() + b"}", b"")
        )
    return text.encode("utf-8")
