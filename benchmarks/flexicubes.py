"""FlexiCubes: the numpy twin against the torch one, time and equality, on a ball with noise.

    python -m benchmarks.flexicubes [--resolutions 64 128] [--repeats 9]

Rows: torch on the dense grid; numpy on the same dense grid (`extract`); numpy from the sampled volume
(`grid_from_volume` + `extract`). Prints a table and one JSON line; exits 1 where the twins differ by more
than 1e-5 or in any triangle.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.isosurface.grids import grid_from_volume, voxel_grid
from geco.types import Floats


def noisy_ball(points: Floats) -> Floats:
    """(N, 3) -> (N,) distance to a ball of radius 0.7 with waves on it."""
    rng = np.random.default_rng(0)
    frequency = rng.normal(size=(3, 24)).astype(np.float32) * 9
    phase = rng.uniform(0, 6, 24).astype(np.float32)
    waves = sum(np.sin(points @ frequency[:, i] + phase[i]) for i in range(frequency.shape[1]))
    values: Floats = (np.sqrt((points * points).sum(axis=1)) - 0.7 + 0.006 * waves).astype(np.float32)
    return values


def median_ms(function: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The result and the median time after one call to warm up."""
    result = function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, float(np.median(times)) * 1e3


def measure(resolution: int, weighted: bool, repeats: int) -> dict[str, Any]:
    """Times in milliseconds and the largest difference between the twins."""
    vertices, cubes = voxel_grid(resolution, rounded=False)
    points = vertices * np.float32(2)
    grid = FlexiGrid(points, noisy_ball(points), cubes, weight_scale=0.5)
    if weighted:
        rng = np.random.default_rng(1)
        grid.beta, grid.alpha, grid.gamma = (
            (rng.normal(size=(len(cubes), *tail)) * 0.5).astype(np.float32) for tail in ((12,), (8,), ())
        )
    weights = [None if w is None else torch.from_numpy(w) for w in (grid.beta, grid.alpha, grid.gamma)]
    inputs = [torch.from_numpy(a) for a in (grid.vertices, grid.sdf, grid.cubes.astype(np.int64))]
    flexicubes = FlexiCubes(grid.weight_scale)
    with torch.no_grad():
        theirs, torch_ms = median_ms(lambda: flexicubes(*inputs, resolution, *weights), repeats)
    ours, numpy_ms = median_ms(lambda: extract(grid), repeats)
    row: dict[str, Any] = {"resolution": resolution, "weighted": weighted, "faces": len(ours[1])}
    row |= {"torch_ms": torch_ms, "numpy_ms": numpy_ms}
    row["largest_difference"] = float(np.abs(ours[0] - theirs[0].numpy()).max())
    row["same_triangles"] = bool(np.array_equal(ours[1], theirs[1].numpy()))
    if not weighted:
        volume = grid.sdf.reshape((resolution + 1,) * 3)
        from_volume, row["volume_ms"] = median_ms(lambda: extract(grid_from_volume(volume, 1.0)), repeats)
        row["same_triangles"] &= bool(np.array_equal(ours[1], from_volume[1]))
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--resolutions", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    rows = [measure(r, weighted, options.repeats) for r in options.resolutions for weighted in (False, True)]
    columns = ("torch_ms", "numpy_ms", "volume_ms")
    print(
        f"{'grid':>6} {'weights':>8} {'faces':>8}"
        + "".join(f"{c:>11}" for c in columns)
        + f"{'largest diff':>14} {'triangles':>10}"
    )
    for row in rows:
        times = "".join(f"{row[c]:11.1f}" if c in row else f"{'-':>11}" for c in columns)
        equal = "the same" if row["same_triangles"] else "DIFFER"
        weights = "yes" if row["weighted"] else "no"
        print(
            f"{row['resolution']:>5}³ {weights:>8} "
            f"{row['faces']:>8}{times}{row['largest_difference']:14.1e} {equal:>10}"
        )
    passed = all(row["same_triangles"] and row["largest_difference"] <= 1e-5 for row in rows)
    print(
        json.dumps(
            {
                "benchmark": "flexicubes",
                "torch_threads": torch.get_num_threads(),
                "rows": rows,
                "passed": passed,
            }
        )
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
