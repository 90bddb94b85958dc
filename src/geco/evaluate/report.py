"""Writes results.json, tables.md and index.html from the rows, and knows whether they are of these rows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geco.data.objects import ObjectSource
from geco.errors import ConfigError
from geco.evaluate.page import page
from geco.evaluate.rows import Rows, clean
from geco.evaluate.settings import FILE as SETTINGS
from geco.evaluate.settings import read_settings
from geco.evaluate.summary import summarise
from geco.evaluate.tables import tables
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.timing import cpu_name

MOST_GROUPS = 12
RESULTS, TABLES, PAGE = "results.json", "tables.md", "index.html"


def write_report(folder: Path, rows: Rows, objects: Mapping[str, ObjectSource]) -> dict[str, Any]:
    """Write the three files, results last, and return the results."""
    settings = read_settings(folder / SETTINGS).values
    common = settings["common"]
    results = clean(
        {
            **summarise(folder, rows, settings, groups_of(objects)),
            "versions": common["versions"],
            "settings": {
                **{
                    name: common[name] for name in ("protocol", "size", "variants", "mesh_light", "alignment")
                },
                "seeds": settings["seeds"],
            },
            "unavailable": settings.get("unavailable", {}),
            "machine": machine(),
            "rows_sha256": _rows_hash(rows.path),
        }
    )
    atomic_write(folder / TABLES, tables(results).encode())
    atomic_write(folder / PAGE, page(folder, results, list(rows), objects).encode())
    atomic_write(folder / RESULTS, (json.dumps(results, indent=1, allow_nan=False) + "\n").encode())
    return dict(results)


def groups_of(objects: Mapping[str, ObjectSource]) -> dict[str, str]:
    """Object -> what its scores are also summed up by: the collection where files are named COLLECTION__NAME
    and there are several, else the manifest's category; "" where there are more than :data:`MOST_GROUPS` or
    fewer than two.
    """
    collections = {key: key.partition("__")[0] if "__" in key else "" for key in objects}
    for named in (collections, {key: source.category for key, source in objects.items()}):
        if 2 <= len(set(named.values())) <= MOST_GROUPS:
            return named
    return dict.fromkeys(objects, "")


def outputs_are_current(folder: Path, rows: Rows) -> bool:
    """Whether the files are all there and were made from exactly these rows."""
    try:
        known = read_fields(folder / RESULTS, ConfigError).text("rows_sha256")
    except ConfigError:
        return False
    return known == _rows_hash(rows.path) and (folder / TABLES).is_file() and (folder / PAGE).is_file()


def machine() -> str:
    """What timings were measured on, in a line."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    return f"{cpu_name()}, {allowed} CPU(s)" + (f", OMP_NUM_THREADS={threads}" if threads else "")


def _rows_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() if path.exists() else b"").hexdigest()
