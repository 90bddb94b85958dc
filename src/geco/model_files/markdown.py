"""JSON values and tables as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def plain(value: Any) -> str:
    """A JSON value in a line of text."""
    match value:
        case dict():
            return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items())
        case list():
            return " ".join(plain(inner) for inner in value)
        case bool() | None:
            return json.dumps(value)
        case float():
            return f"{value:g}"
        case int():
            return f"{value:,}"
    return " ".join(str(value).split())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
