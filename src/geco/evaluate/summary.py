"""Rows to numbers: mean, spread and count of every metric of every column."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geco.evaluate.diversity import diversity_of
from geco.evaluate.methods import VARIANTS
from geco.evaluate.rows import PARTS, SKIPPED, Row

DIVERSITY = {"diversity": "views", "mesh_diversity": "A"}  # of a column -> of a row
NO_NUMBER = ("size",)  # entries of a part that are no metric


def summarise(
    report: Path, rows: Iterable[Row], settings: Mapping[str, Any], categories: Mapping[str, str]
) -> dict[str, Any]:
    """The content of results.json but for versions: see docs/evaluation.md.

    Args:
        settings: settings.json. categories: object -> group, "" where there is none.
    """
    ordered = sorted(rows, key=lambda row: (row["method"], row["object"], row["seed"]))
    skipped = {
        row["object"]: {"reason": row["reason"], "error": row["error"]}
        for row in ordered
        if row["method"] == SKIPPED
    }
    found = [row for row in ordered if row["method"] != SKIPPED]
    names = list(settings["methods"])
    columns = sorted({row["method"] for row in found}, key=lambda name: _place(name, found, names))
    methods = {}
    for column in columns:
        own = [row for row in found if row["method"] == column]
        methods[column] = _column(own, settings["methods"].get(own[0]["base"], {}).get("kind"))
        for entry, part in DIVERSITY.items():
            if found_in := diversity_of(report, own, part):
                methods[column][entry] = {name: spread(values) for name, values in found_in.items()}
        groups = sorted({categories.get(row["object"], "") for row in own} - {""})
        if len(groups) > 1:
            of = {group: [row for row in own if categories.get(row["object"]) == group] for group in groups}
            methods[column]["groups"] = {group: _parts(chosen) for group, chosen in of.items()}
    used = [key for key in settings["common"]["objects"] if key not in skipped]
    return {"methods": methods, "objects": used, "skipped": skipped}


def spread(values: Sequence[float | None], seeds: Sequence[int] | None = None) -> dict[str, Any]:
    """Mean, sample standard deviation over all values, and count; with ``seeds`` (one a value, more than one
    different) also ``seed_std``: the standard deviation of the seeds' means. Nulls are left out; nothing at
    all gives mean null, n 0.
    """
    known = [(value, seeds[index] if seeds else 0) for index, value in enumerate(values) if value is not None]
    if not known:
        return {"mean": None, "std": None, "n": 0}
    numbers = [value for value, _ in known]
    result = {
        "mean": statistics.fmean(numbers),
        "std": statistics.stdev(numbers) if len(numbers) > 1 else 0.0,
        "n": len(numbers),
    }
    by_seed: dict[int, list[float]] = {}
    for value, seed in known:
        by_seed.setdefault(seed, []).append(value)
    if len(by_seed) > 1:
        result["seed_std"] = statistics.stdev([statistics.fmean(each) for each in by_seed.values()])
    return result


def _column(rows: list[Row], kind: str | None) -> dict[str, Any]:
    seeds = [row["seed"] for row in rows]
    stages = list(dict.fromkeys(name for row in rows for name in row.get("stages") or {}))
    sampling = next((row["sampling"] for row in rows if row.get("sampling")), None)
    memory = {
        name: max(
            (row["memory"][name] for row in rows if (row.get("memory") or {}).get(name) is not None),
            default=None,
        )
        for name in ("peak_mb", "gpu_mb")
    }
    return {
        **_parts(rows),
        "seconds": spread([row.get("seconds") for row in rows], seeds),
        "stages": {name: spread([(row.get("stages") or {}).get(name) for row in rows]) for name in stages},
        "load_seconds": spread(
            sorted({row["load_seconds"] for row in rows if row.get("load_seconds") is not None})
        ),
        "warmup_seconds": spread(
            sorted({row["warmup_seconds"] for row in rows if row.get("warmup_seconds") is not None})
        ),
        "memory": memory,
        "kind": kind,
        "base": rows[0]["base"],
        "variant": rows[0]["variant"],
        "sampling": sampling,
        "seeds": len(set(seeds)),
        "rows": len(rows),
        "failed": sum(row["status"] == "failed" for row in rows),
        "missing": sum(row["status"] == "missing" for row in rows),
        "alignment": _alignment(rows),
    }


def _parts(rows: list[Row]) -> dict[str, Any]:
    """Part -> metric -> spread, for parts that any row has."""
    found: dict[str, Any] = {}
    for part in PARTS:
        having = [row for row in rows if row.get(part)]
        metrics = dict.fromkeys(name for row in having for name in row[part] if name not in NO_NUMBER)
        if metrics:
            seeds = [row["seed"] for row in having]
            found[part] = {name: spread([row[part].get(name) for row in having], seeds) for name in metrics}
    return found


def _alignment(rows: list[Row]) -> dict[str, Any] | None:
    """Which alignment, and how far it had to go."""
    records = [row["alignment"] for row in rows if row.get("alignment")]
    if not records:
        return None
    turned = [record["turned_degrees"] for record in records if record.get("turned_degrees") is not None]
    scales = [record["scale"] for record in records if record.get("scale") is not None]
    return {
        "method": records[0]["method"],
        "n": len(records),
        "turned_degrees": {"median": statistics.median(turned), "max": max(turned)} if turned else None,
        "scale": {"min": min(scales), "max": max(scales)} if scales else None,
    }


def _place(column: str, rows: list[Row], names: list[str]) -> tuple[int, int, str]:
    row = next(row for row in rows if row["method"] == column)
    base = names.index(row["base"]) if row["base"] in names else len(names)
    return base, VARIANTS.index(row["variant"]), column
