"""Keys of objects: unique among those found together, safe in file systems and tar archives."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LONGEST_KEY = 100  # a tar header holds so many characters of a name, and every file system more


def unique_keys(paths: list[Path], root: Path) -> Iterator[tuple[str, Path]]:
    """A unique key for each path, independent of the order."""
    short = {path: _safe(below(path.with_suffix(""), root)) for path in paths}
    often = Counter(key.lower() for key in short.values())
    chosen = {
        path: key if often[key.lower()] == 1 else _safe(below(path, root)) for path, key in short.items()
    }
    taken = Counter(key.lower() for key in chosen.values())
    for path, key in chosen.items():
        if taken[key.lower()] > 1 or len(key) > LONGEST_KEY:
            digest = hashlib.sha256(below(path, root).encode("utf-8", "surrogatepass")).hexdigest()[:12]
            key = f"{key[: LONGEST_KEY - 13]}-{digest}"
        yield key, path


def below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text).lstrip("-") or "_"
