"""How much the views of one picture differ from seed to seed, from the strips that the rows left behind."""

from __future__ import annotations

from pathlib import Path

from geco.evaluate.rows import Row


def views_diversity(report: Path, rows: list[Row]) -> dict[str, list[float]]:
    """Metric -> one value an object, for objects with at least two seeds; empty where there are none."""
    return {}
