"""Our unwrapping beside xatlas on the same meshes of about 20,000 faces: ``python -m benchmarks.uv``.

Wall clock, median of ``--repeats`` after one warm-up (xatlas, which takes seconds, ``--xatlas-repeats`` and
no warm-up); area used, Sander L2 stretch, charts, vertices added by seams, and overlapping pairs by an exact
test. One JSON line at the end.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap
from geco.mesh.uv_report import overlaps, report

Field = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--xatlas-repeats", type=int, default=1, help="0 leaves xatlas out")
    parser.add_argument("--texture-size", type=int, default=1024)
    options = parser.parse_args()
    runs = {"charts": (options.repeats, 1)}
    if options.xatlas_repeats and importlib.util.find_spec("xatlas"):
        runs["xatlas"] = (options.xatlas_repeats, 0)
    print(f"{os.cpu_count()} cores, numpy {np.__version__}, texture {options.texture_size}, padding 2")
    titles = ("faces", "method", "ms", "cpu ms", "charts", "area", "stretch", "seams", "overlaps")
    print(f"{'mesh':14}" + "".join(f"{title:>9}" for title in titles))
    rows = []
    for name, field in FIELDS.items():
        mesh = surface(field, options.faces)
        for method, (repeats, warm_up) in runs.items():
            row = {"mesh": name, "faces": len(mesh.faces), "method": method} | measure(
                mesh, method, repeats, warm_up, options.texture_size
            )
            rows.append(row)
            cells = [
                f"{row['faces']:,}",
                method,
                f"{row['ms']:.1f}",
                f"{row['cpu_ms']:.1f}",
                row["charts"],
                f"{row['area_used']:.3f}",
            ]
            cells += [f"{row['stretch_l2']:.4f}", f"{row['seam_vertices']:.1%}", row["overlaps"]]
            print(f"{name:14}" + "".join(f"{cell:>9}" for cell in cells), flush=True)
    print(
        json.dumps(
            {
                "benchmark": "uv",
                "repeats": options.repeats,
                "texture_size": options.texture_size,
                "rows": rows,
            }
        )
    )


def measure(mesh: Mesh, method: str, repeats: int, warm_up: int, size: int) -> dict[str, float]:
    """Times and quality of one method on one mesh."""
    wall, processor = [], []
    for _ in range(warm_up + repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        flat = unwrap(mesh, size, method=method)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_cpu)
    found = report(flat)
    return {
        "ms": round(1e3 * statistics.median(wall[warm_up:]), 1),
        "cpu_ms": round(1e3 * statistics.median(processor[warm_up:]), 1),
        "charts": found.charts,
        "area_used": round(found.area_used, 4),
        "stretch_l2": round(found.stretch_l2, 4),
        "texel_spread": round(found.texel_spread, 3),
        "seam_vertices": round(len(flat.vertices) / len(mesh.vertices) - 1, 4),
        "overlaps": len(overlaps(flat, 1e-6)),
    }


def surface(field: Field, faces: int) -> Mesh:
    """The FlexiCubes surface of a field on a grid that gives about that many faces."""
    resolution = 64
    for _ in range(3):
        axis = np.linspace(-1, 1, resolution + 1)
        mesh = Mesh(*extract(grid_from_volume(field(*np.meshgrid(axis, axis, axis, indexing="ij")), 1.0)))
        resolution = round(resolution * np.sqrt(faces / len(mesh.faces)))
    return mesh


def ball(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y + z * z) - 0.8


def figure(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A body, a head, four limbs, melted together."""
    parts = [
        ellipsoid(x, y, z, (0, 0, 0.05), (0.25, 0.2, 0.4)),
        ellipsoid(x, y, z, (0, 0, 0.6), (0.22, 0.22, 0.25)),
    ]
    parts += [limb(x, y, z, (0, side * 0.15, 0.25), (0.2, side * 0.65, 0.1), 0.09) for side in (-1, 1)]
    parts += [limb(x, y, z, (0, side * 0.1, -0.2), (0.05, side * 0.2, -0.8), 0.11) for side in (-1, 1)]
    return -np.log(sum(np.exp(-30 * part) for part in parts)) / 30


def noisy_figure(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The figure as an uncertain network would give it."""
    return figure(x, y, z) + 0.02 * waves(x, y, z, 30.0, 1)


def chair(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    boxes = [((0, 0, -0.1), (0.4, 0.4, 0.06)), ((-0.35, 0, 0.4), (0.05, 0.4, 0.45))]
    boxes += [((a * 0.33, b * 0.33, -0.5), (0.06, 0.06, 0.4)) for a in (-1, 1) for b in (-1, 1)]
    return np.minimum.reduce([box(x, y, z, *b) for b in boxes]) - 0.015


def hammer(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.minimum(
        limb(x, y, z, (0, 0, -0.85), (0, 0, 0.7), 0.08), limb(x, y, z, (0, -0.3, 0.7), (0, 0.3, 0.7), 0.14)
    )


def sponge(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A random isosurface inside a ball: tunnels, caves, islands."""
    return np.maximum(0.4 * waves(x, y, z, 8.0, 2) + 0.1, ball(x, y, z))


def waves(x: np.ndarray, y: np.ndarray, z: np.ndarray, frequency: float, seed: int) -> np.ndarray:
    """A smooth random field of about unit size."""
    rng = np.random.default_rng(seed)
    total = np.zeros_like(x)
    for a, b, c, phase in np.concatenate(
        [rng.normal(size=(40, 3)) * frequency / 1.7, rng.uniform(0, 6.3, (40, 1))], axis=1
    ):
        total += np.sin(a * x + b * y + c * z + phase)
    return total / np.sqrt(20)


def ellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, at: tuple[float, ...], radii: tuple[float, ...]
) -> np.ndarray:
    scaled = [(p - c) / r for p, c, r in zip((x, y, z), at, radii)]
    return (np.sqrt(sum(s * s for s in scaled)) - 1) * min(radii)


def limb(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, one: tuple[float, ...], two: tuple[float, ...], radius: float
) -> np.ndarray:
    """Within ``radius`` of a line between two points."""
    axis = np.subtract(two, one)
    along = sum((p - a) * d for p, a, d in zip((x, y, z), one, axis)) / (axis @ axis)
    along = np.clip(along, 0, 1)
    return np.sqrt(sum((p - a - along * d) ** 2 for p, a, d in zip((x, y, z), one, axis))) - radius


def box(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, at: tuple[float, ...], half: tuple[float, ...]
) -> np.ndarray:
    gaps = [np.abs(p - c) - h for p, c, h in zip((x, y, z), at, half)]
    outside = np.sqrt(sum(np.maximum(g, 0) ** 2 for g in gaps))
    return outside + np.minimum(np.maximum.reduce(gaps), 0)


FIELDS: dict[str, Field] = {
    "ball": ball,
    "figure": figure,
    "noisy figure": noisy_figure,
    "chair": chair,
    "hammer": hammer,
    "sponge": sponge,
}

if __name__ == "__main__":
    main()
