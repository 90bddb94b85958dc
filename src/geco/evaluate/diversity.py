"""How much what is made of one picture differs from seed to seed, from the strips that rows left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.cameras import ZERO123PLUS_V12
from geco.evaluate.pictures import load_strip, resized, strip_path, truth_path
from geco.evaluate.rows import Row
from geco.metrics.diversity import diversity


def diversity_of(report: Path, rows: list[Row], part: str) -> dict[str, list[float]]:
    """Metric of :func:`geco.metrics.diversity.diversity` -> one value an object that at least two seeds were
    tried on.

    Measured at the strips' size: the views' own, at most 128 px. Empty where no object has two seeds.

    Args:
        part: "views", what was drawn; "A", the meshes from the same cameras, which methods without views
            have too.
    """
    found: dict[str, list[float]] = {}
    by_object: dict[str, list[Path]] = {}
    for row in rows:
        path = strip_path(report, row["object"], row["method"], row["seed"], part)
        if row.get(part) and path.is_file():
            by_object.setdefault(row["object"], []).append(path)
    for key, paths in by_object.items():
        if len(paths) < 2:
            continue
        samples = np.stack([load_strip(path) for path in paths])
        truth = truth_path(report, key, "A")
        true = resized(load_strip(truth), samples.shape[2]) if truth.is_file() else None
        for name, value in diversity(samples, ZERO123PLUS_V12.azimuths, true).items():
            found.setdefault(name, []).append(value)
    return found
