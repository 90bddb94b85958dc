"""JSON values, tables and the hub's front matter as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

# what the hub calls licences, by what stands in our cards; the strictest first
_LICENCES = {
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-4.0": "cc-by-4.0",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
}


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


def front_matter(values: Mapping[str, Any]) -> str:
    """YAML between its lines; scalars and lists are JSON's, which are YAML's too."""
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join(["---", *lines, "---"])


def licence_id(licence: str) -> str:
    """The hub's name of the strictest licence that is named; "other" where none is known."""
    return next((found for name, found in _LICENCES.items() if name in licence), "other")
