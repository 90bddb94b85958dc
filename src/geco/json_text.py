"""JSON that somebody else wrote: parsed with limits of size and depth, no name twice, all numbers finite."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any

from geco.errors import GecoError
from geco.reading import read_regular

MOST_BYTES = 64 * 2**20  # of a JSON file: the index of a million objects takes less
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: bytes | str, where: str, error: type[GecoError], remedy: str = "") -> Any:
    """Parsed JSON; ``error`` for what is none, nests too deeply, or holds a name twice or a
    number that is not finite.
    """

    try:
        if isinstance(text, bytes):  # json.loads would let halves of characters pass
            text = text.decode(json.detect_encoding(text))
        value = json.loads(text, parse_constant=_no_json, parse_float=_number, object_pairs_hook=_object)
        if _SURROGATE.search(text):
            # half of a character can be neither printed nor stored
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise error(f"{where} nests too deeply", remedy) from None
    except ValueError as failure:
        # JSONDecodeError, UnicodeDecodeError and UnicodeEncodeError are ValueErrors
        raise error(f"{where} is not readable JSON: {failure}", remedy) from failure
    return value


def parse_list(text: bytes, where: str, error: type[GecoError], remedy: str = "") -> Any:
    """As :func:`parse_json`, for the entries of many people in one file: a NaN, a name twice or half of a
    character in one of them does not cost the others. Such values are for the entry's own :class:`Fields` to
    refuse.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise error(f"{where} nests too deeply", remedy) from None
    except ValueError as failure:
        raise error(f"{where} is not readable JSON: {failure}", remedy) from failure


def read_json(
    path: str | os.PathLike[str], error: type[GecoError], remedy: str = "", most: int = MOST_BYTES
) -> Any:
    """The content of a JSON file; ``error`` where it is missing, no regular file, larger than
    ``most`` bytes or no JSON.
    """
    return parse_json(read_regular(path, most, error), os.fspath(path), error, remedy)


def _no_json(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two fields of one name counts depends on the reader: neither does."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(name for name in names if names.count(name) > 1))} is there twice")
    return found


def shown(value: Any) -> str:
    """A value in an error: short, whatever it is."""
    if isinstance(value, dict | list):
        return kind_of(value)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python prints no whole number of more than 4300 digits
        return "a value that cannot be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def kind_of(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing" if value is None else type(value).__name__)
