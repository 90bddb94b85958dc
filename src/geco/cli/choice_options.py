"""Rows of :mod:`geco.choices` as options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from geco.choices import CHOICES, Choice

TYPES = {"int": int, "float": float, "str": str, "list": str}


def add(group: Any, rows: Iterable[Choice]) -> None:
    """Add an option a row; its value stands under the row's name, a default that the row has no value for is
    None.
    """
    for row in rows:
        if row.kind == "bool":
            action = "store_false" if row.default else "store_true"
            group.add_argument(row.option, dest=row.name, action=action, help=row.about)
        else:
            group.add_argument(
                row.option,
                type=TYPES[row.kind],
                choices=row.values or None,
                default=row.default,
                metavar=row.metavar,
                help=row.about,
            )


def values(options: argparse.Namespace) -> dict[str, Any]:
    """What a command has of the table, by name."""
    return {row.name: getattr(options, row.name) for row in CHOICES if hasattr(options, row.name)}
