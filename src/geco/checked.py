"""Settings that check themselves: a dataclass whose every field says what it may be, for code and for
config.json alike.

    @dataclass(frozen=True)
    class Sizes(Checked):
        width: int = whole(192, 8, 4096)
        widths: tuple[int, ...] = wholes((32, 64), 1, 1024)

A field without a rule cannot be made: the class is refused where it is defined to be used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, field
from typing import Any, TypeVar

from geco.errors import ConfigError, GecoError
from geco.foreign import Fields

Read = Callable[[Fields, str], Any]
T = TypeVar("T", bound="Checked")
MOST = 2**31 - 1  # of anything that is counted
RULE = "read"  # of a field's metadata: how its value is read, and what it may be


def whole(default: Any, low: int, high: int) -> Any:
    """A whole number from ``low`` to ``high``; where the default is None, None too."""
    return _ruled(default, lambda fields, name: fields.integer(name, low, high))


def real(default: Any, low: float, high: float) -> Any:
    """A finite number from ``low`` to ``high``; where the default is None, None too."""
    return _ruled(default, lambda fields, name: fields.number(name, low, high))


def count(default: Any) -> Any:
    """How many of something: a whole number from 1."""
    return whole(default, 1, MOST)


def amount(default: Any) -> Any:
    """A weight, a rate, a width: a finite number from 0."""
    return real(default, 0.0, float(MOST))


def share(default: Any) -> Any:
    """A part of something: a number from 0 to 1."""
    return real(default, 0.0, 1.0)


def shares(default: Any, number: int) -> Any:
    """So many parts, as a tuple."""
    return reals(default, 0.0, 1.0, number, number)


def decay(default: Any) -> Any:
    """What is kept of a moving average at each step: a number from 0 to below 1."""
    return _ruled(default, _decay)


def decays(default: Any) -> Any:
    """Adam's two decays, as a tuple."""
    return _ruled(default, lambda f, name: tuple(_decay(one, name) for one in _split(f, name, 2)))


def or_none(rule: Any) -> Any:
    """What ``rule`` says, or None; for a field whose default is not None."""
    read = rule.metadata[RULE]
    return field(
        default=rule.default,
        metadata={RULE: lambda f, name: None if f.values[name] is None else read(f, name)},
    )


def flag(default: Any) -> Any:
    """True or False."""
    return _ruled(default, lambda fields, name: fields.flag(name))


def choice(default: Any, choices: Collection[str]) -> Any:
    """One of ``choices``."""
    return _ruled(default, lambda fields, name: fields.choice(name, choices))


def wholes(default: Any, low: int, high: int, least: int = 1, most: int = 16) -> Any:
    """``least`` to ``most`` whole numbers from ``low`` to ``high``, as a tuple."""
    return _ruled(default, lambda f, name: _counted(f, name, f.integers(name, low, high, most), least))


def reals(default: Any, low: float, high: float, least: int = 1, most: int = 16) -> Any:
    """``least`` to ``most`` finite numbers from ``low`` to ``high``, as a tuple."""
    return _ruled(default, lambda f, name: _counted(f, name, f.numbers(name, low, high, most), least))


def inner(kind: type[Checked]) -> Any:
    """Settings of their own; the default has all of its defaults."""

    def read(fields: Fields, name: str) -> Any:
        value = fields.values[name]
        return value if isinstance(value, kind) else kind.from_fields(fields.fields(name))

    return field(default_factory=kind, metadata={RULE: read})


def table(default: Mapping[str, Any], check: Callable[[Fields], Any]) -> Any:
    """A JSON object that ``check`` looks at as a whole; it raises the fields' own error."""

    def read(fields: Fields, name: str) -> Any:
        check(fields.fields(name))
        return fields.values[name]

    return field(default_factory=lambda: dict(default), metadata={RULE: read})


class Checked:
    """Base of such dataclasses. Making one with a wrong value raises :class:`ConfigError` naming
    class and field.
    """

    def __post_init__(self) -> None:
        values = {name: _as_json(value) for name, value in vars(self).items()}
        for name, value in _read(type(self), Fields(values, type(self).__name__, ConfigError)).items():
            object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """What must hold between the fields; raises :class:`ConfigError`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for config.json; :meth:`from_fields` reads them back."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_fields(cls: type[T], fields: Fields) -> T:
        """From a file's fields, absent ones at their defaults; raises the fields' own error, also
        for unknown ones.
        """
        fields.only([each.name for each in dataclasses.fields(cls)])  # type: ignore[arg-type]
        values = _read(cls, fields)
        try:
            return cls(**values)
        except ConfigError as error:
            raise fields.wrong(f"does not fit: {error.problem}") from error

    @classmethod
    def from_dict(
        cls: type[T], values: Any, where: str = "", error: type[GecoError] = ConfigError, remedy: str = ""
    ) -> T:
        """As :meth:`from_fields`, of what was parsed; ``where`` begins the errors."""
        plain = (
            {name: _as_json(value) for name, value in values.items()} if isinstance(values, dict) else values
        )
        return cls.from_fields(Fields(plain, where or cls.__name__, error, remedy))


def _read(kind: type[Checked], fields: Fields) -> dict[str, Any]:
    """The values of the fields that are there, each by its rule."""
    found = {}
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        if RULE not in each.metadata:
            raise TypeError(f"{kind.__name__}.{each.name} has no rule: give it one of geco.checked's")
        if each.name in fields:
            found[each.name] = each.metadata[RULE](fields, each.name)
    return found


def _ruled(default: Any, read: Read) -> Any:
    def checked(fields: Fields, name: str) -> Any:
        return None if default is None and fields.values[name] is None else read(fields, name)

    return field(default=default, metadata={RULE: checked})


def _counted(fields: Fields, name: str, values: Sequence[Any], least: int) -> tuple[Any, ...]:
    if len(values) < least:
        raise fields.wrong(f"lists {len(values)} {name}; at least {least} are needed")
    return tuple(values)


def _decay(fields: Fields, name: str) -> float:
    value: float = fields.number(name, 0.0, 1.0)
    if value == 1.0:
        raise fields.wrong(f"has {name} = 1, which would keep everything: it must be below 1")
    return value


def _split(fields: Fields, name: str, number: int) -> list[Fields]:
    """The items of a list, each as a field of the same name."""
    items = fields.items(name, number)
    _counted(fields, name, items, number)
    return [Fields({name: item}, fields.where, fields.error, fields.remedy) for item in items]


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
