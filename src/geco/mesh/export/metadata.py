"""Facts about an asset (seed, model, timings) as strict JSON, whatever numpy types they come in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """JSON-ready copy: numpy scalars and arrays become numbers and lists, NaN and infinities null, unknown objects their text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, PathLike):
        return str(fspath(value))
    return str(value)


def to_json(value: Any) -> str:
    """Compact JSON on one line, strict (no NaN)."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_ascii_json(value: Any) -> str:
    """The same in ASCII alone, for the text headers of PLY and OBJ."""
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False)
