"""The rows of GECO's table of choices as inputs of a node, and what a node was given as what is asked of it.

A field of ComfyUI always holds a value, so the model's own is a number below the range, or ``default``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geco.choices import Asked, Choice, choices, sort

# On the node "GECO: picture to mesh"; all others are on "GECO: more choices". What joins them goes last: a
# saved workflow holds the values in their order.
NEEDED = ("seed", "samples", "faces", "texture_size")
FURTHER = ("watertight", "symmetry", "best_of")
OWN = "default"


def of(*names: str) -> dict[str, Any]:
    """The inputs of those rows that there are, as ``INPUT_TYPES`` has them."""
    found = {row.name: row for row in _rows()}
    return {name: field(found[name]) for name in names if name in found}


def more() -> dict[str, Any]:
    """All inputs that are on no other node."""
    return {row.name: field(row) for row in _rows() if row.name not in (*NEEDED, *FURTHER)}


def asked(given: dict[str, Any]) -> tuple[Asked, range]:
    """What GECO shall do, and the seeds that it draws: for each sample as many as it is the best of. Raises
    ConfigError for what does not go together.
    """
    values = {row.name: _value(row, given[row.name]) for row in _rows() if row.name in given}
    first, wanted = values.get("seed") or 0, sort(values)
    return wanted, range(first, first + (values.get("samples") or 1) * wanted.mesh.best_of)


def field(row: Choice) -> tuple[Any, dict[str, Any]]:
    """One input: its type (or its values) and what the editor shows."""
    about = {"tooltip": row.about}
    if row.kind == "bool":
        return "BOOLEAN", {"default": bool(row.default), "tooltip": row.help}
    if row.values:
        values = list(row.values) if row.default is not None else [OWN, *row.values]
        return values, {"default": row.default or OWN, **about}
    if row.kind in ("int", "float"):
        return row.kind.upper(), {**_range(row), **about}
    return "STRING", {"default": row.default or "", **about}


def _rows() -> Iterator[Choice]:
    return choices("picture", "seeds", "views", "mesh", "file")


def _range(row: Choice) -> dict[str, Any]:
    least, most = row.low or 0, row.high
    shown: dict[str, Any] = {"default": row.default, "min": least, "max": most}
    if row.default is None:
        shown |= {"default": _unset(row), "min": _unset(row)}
    if row.kind == "float":
        shown |= {"step": 0.01, "round": False}
    if row.name == "seed":
        shown["control_after_generate"] = True
    return shown


def _unset(row: Choice) -> int:
    """The number that stands for the model's own: 0, or -1 where 0 means something."""
    return 0 if (row.low or 0) > 0 else -1


def _value(row: Choice, given: Any) -> Any:
    if row.default is None and row.kind in ("int", "float") and given == _unset(row):
        return None
    return None if given in ("", OWN) else given
