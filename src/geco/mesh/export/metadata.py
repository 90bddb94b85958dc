"""What a file says beside the mesh: its mark, and facts (seed, model) as strict JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from geco.marks import Source, mark_text
from geco.version import __version__

GENERATOR = f"GECO {__version__}"


@dataclass(frozen=True)
class About:
    """What all formats say about a mesh.

    Attributes:
        name: of the object: its node, mesh, material, texture and image.
        source: the picture that it was made from, for the mark that every file holds (:mod:`geco.marks`).
        extras: facts to keep. Nothing that differs from run to run may be among them: the same input gives
            the same file.
    """

    name: str = "object"
    source: Source = field(default_factory=Source)
    extras: Mapping[str, Any] = field(default_factory=dict)

    def mark(self, made: str = "mesh", longest: int = 1000) -> str:
        """See :func:`geco.marks.mark_text`."""
        return mark_text(made, self.source, longest)

    def lines(self) -> list[str]:
        """The mark and one line a fact, in ASCII, for the comments of text formats."""
        return [self.mark(), *(to_ascii_json({key: value}) for key, value in self.extras.items())]


def plain(value: Any) -> Any:
    """JSON-ready copy: numpy becomes numbers and lists, NaN and infinities null, unknown objects
    their text.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        # the order of a set differs from process to process
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, PathLike):
        value = fspath(value)
    # a lone surrogate of a file's name is no UTF-8
    return str(value).encode("utf-8", "backslashreplace").decode()


def to_json(value: Any) -> str:
    """Compact JSON on one line, strict (no NaN)."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_ascii_json(value: Any) -> str:
    """The same in ASCII alone, for the text headers of PLY and OBJ."""
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False)
