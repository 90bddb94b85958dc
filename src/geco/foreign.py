"""Data that somebody else wrote (cards, configs, indices, sidecars, lists): read with limits, checked field
by field.

One small validator for all of them: :func:`geco.json_text.read_json` bounds size and depth, :class:`Fields`
asks for every value by name, type and range, and both raise the caller's own kind of error, which names the
file and the field.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from geco.errors import GecoError
from geco.json_text import MOST_BYTES, kind_of, read_json, shown

REQUIRED: Any = object()  # the default of a field that has none
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]')  # in a file's name, on one system or another

T = TypeVar("T")


def read_fields(
    path: str | os.PathLike[str], error: type[GecoError], remedy: str = "", most: int = MOST_BYTES
) -> Fields:
    """The fields of a file that holds one JSON object; errors as :func:`read_json`."""
    return Fields(read_json(path, error, remedy, most), os.fspath(path), error, remedy)


def is_plain_name(name: object) -> bool:
    """Whether ``name`` can name one file in a folder and nothing outside it, on every system."""
    return (
        isinstance(name, str) and 0 < len(name) <= 200 and not _UNSAFE.search(name) and name.strip(". ") != ""
    )


class Fields:
    """The fields of one JSON object, each asked for by name, type and range.

    Args:
        values: what was parsed; anything but an object is refused at once.
        where: the file, and the place in it: how errors begin.
        error: the kind of error to raise.
        remedy: what to do about it.
    """

    def __init__(self, values: Any, where: str, error: type[GecoError], remedy: str = "") -> None:
        self.where, self.error, self.remedy = where, error, remedy
        if not isinstance(values, dict):
            raise self.wrong(f"holds {kind_of(values)}, not an object with fields")
        self.values: dict[str, Any] = values

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def only(self, names: Collection[str]) -> Fields:
        """These fields, after making sure that there are no others."""
        if unknown := sorted(self.values.keys() - set(names)):
            raise self.wrong(f"has a field {shown(unknown[0])} that this version does not know")
        return self

    def wrong(self, what: str) -> GecoError:
        """The error to raise: "WHERE WHAT"."""
        return self.error(f"{self.where} {what}", self.remedy)

    def integer(self, name: str, low: int, high: int, default: Any = REQUIRED) -> Any:
        """A whole number from ``low`` to ``high``, both included; 3.0 is one, True is not."""
        value = self._get(name, default)
        if value is default and name not in self.values:
            return value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(f"has {name} = {shown(value)}, not a whole number")
        return self._in_range(name, value, low, high)

    def number(
        self, name: str, low: float = -math.inf, high: float = math.inf, default: Any = REQUIRED
    ) -> Any:
        """A finite number from ``low`` to ``high``, both included."""
        value = self._get(name, default)
        if value is default and name not in self.values:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise self.wrong(f"has {name} = {shown(value)}, not a finite number")
        return float(self._in_range(name, value, low, high))

    def flag(self, name: str, default: Any = REQUIRED) -> Any:
        """True or False."""
        return self._of(name, bool, "neither true nor false", default)

    def text(self, name: str, longest: int = 1000, default: Any = REQUIRED) -> Any:
        """A string of at most ``longest`` characters."""
        value = self._of(name, str, "no text", default)
        if isinstance(value, str) and len(value) > longest:
            raise self.wrong(f"has a {name} of {len(value)} characters; the limit is {longest}")
        return value

    def choice(self, name: str, choices: Collection[str], default: Any = REQUIRED) -> Any:
        """One of ``choices``."""
        value = self.text(name, default=default)
        if name in self.values and value not in choices:
            raise self.wrong(f"has {name} = {shown(value)}, not one of {', '.join(sorted(choices))}")
        return value

    def file_name(self, name: str, default: Any = REQUIRED) -> Any:
        """A name for one file in the folder and nothing outside it."""
        value = self.text(name, default=default)
        if name in self.values and not is_plain_name(value):
            raise self.wrong(f"has {name} = {shown(value)}, which is no plain file name")
        return value

    def digest(self, name: str, default: Any = REQUIRED) -> Any:
        """A SHA-256 as 64 hexadecimal digits, in lower case."""
        value = self.text(name, default=default)
        if name in self.values and not re.fullmatch("[0-9a-f]{64}", value):
            raise self.wrong(f"has {name} = {shown(value)}, which is no SHA-256")
        return value

    def fields(self, name: str, default: Any = REQUIRED) -> Any:
        """An object inside, as :class:`Fields`."""
        value = self._of(name, dict, "no object with fields", default)
        return (
            Fields(value, f"{self.where}: {name}", self.error, self.remedy) if name in self.values else value
        )

    def items(self, name: str, most: int = 1_000_000, default: Any = REQUIRED) -> Any:
        """A list of at most ``most`` things of any kind."""
        value = self._of(name, list, "no list", default)
        if isinstance(value, list) and len(value) > most:
            raise self.wrong(f"lists {len(value)} {name}; the limit is {most}")
        return value

    def texts(self, name: str, most: int = 1_000_000, default: Any = REQUIRED) -> Any:
        """A list of strings."""
        value = self.items(name, most, default)
        if name in self.values and not all(isinstance(item, str) for item in value):
            raise self.wrong(f"has something in {name} that is no text")
        return value

    def integers(self, name: str, low: int, high: int, most: int = 1_000_000, default: Any = REQUIRED) -> Any:
        """A list of whole numbers from ``low`` to ``high``."""
        value = self.items(name, most, default)
        if name not in self.values:
            return value
        return [
            Fields({name: item}, self.where, self.error, self.remedy).integer(name, low, high)
            for item in value
        ]

    def numbers(
        self,
        name: str,
        low: float = -math.inf,
        high: float = math.inf,
        most: int = 1_000_000,
        default: Any = REQUIRED,
    ) -> Any:
        """A list of finite numbers from ``low`` to ``high``."""
        value = self.items(name, most, default)
        if name not in self.values:
            return value
        return [
            Fields({name: item}, self.where, self.error, self.remedy).number(name, low, high)
            for item in value
        ]

    def _get(self, name: str, default: Any) -> Any:
        if name in self.values:
            return self.values[name]
        if default is REQUIRED:
            raise self.wrong(f"lacks {name}")
        return default

    def _of(self, name: str, kind: type[T], otherwise: str, default: Any) -> Any:
        value = self._get(name, default)
        if name in self.values and not isinstance(value, kind):
            raise self.wrong(f"has {name} = {shown(value)}, {otherwise}")
        return value

    def _in_range(self, name: str, value: Any, low: float, high: float) -> Any:
        if not low <= value <= high:
            raise self.wrong(f"has {name} = {shown(value)}, outside {low:g} to {high:g}")
        return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of 400 digits
        return False
