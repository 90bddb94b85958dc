"""From fields to a finished file, stage by stage: ``OMP_NUM_THREADS=1 python -m benchmarks.surface``.

Two analytic objects of a full-size model's complexity on a grid of 128 cubes a side (a noisy figure with
pack, ring and base; a sponge), each with a picture rendered of it, go through the real `surface_to_asset` and
into a GLB. The fields' own time (a network's, in the product) is left out. ``--small PICTURE…`` measures the
same stages behind the embedded model instead, fields included. CPU milliseconds, the best of ``--repeats``;
JSON on the last line. Another tree is measured by putting its ``src`` first in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.uv import ball, box, noisy_figure, waves
from geco.cameras import INPUT_FOV, orbit_poses
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh.export.save import encode
from geco.mesh.types import Mesh
from geco.pipeline import PROJECTION_SIZE, GecoPipeline
from geco.render.shade_numpy import render_mesh
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

RESOLUTION = 128
ELEVATION = 17.0  # of the rendered pictures: none that a search on whole tens starts from
# what `surface_to_asset` calls, by the names it has there; a part of a part is inside its whole
PARTS = {
    "geco.surface_to_asset": [
        "extract", "drop_degenerate", "remove_floaters", "fill_holes", "unwrap", "vertex_normals",
        "rasterize_uv", "bake", "find_camera", "keep_to_outline", "fit_input_camera", "fit_and_look",
        "measure", "look", "project_picture",
    ],
    "geco.mesh.uv": ["face_links", "segment", "flatten", "evened", "upright_boxes", "cut_long", "pack"],
    "geco.mesh.bake": ["filled"],
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--objects", nargs="*", default=list(OBJECTS), choices=list(OBJECTS))
    parser.add_argument("--sizes", nargs="*", type=int, default=[1024, 2048], help="texels a side")
    parser.add_argument("--small", nargs="*", type=Path, default=[], help="pictures for the embedded model")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    clock = Clock()
    rows = []
    if options.small:
        pipeline = GecoPipeline.from_pretrained("small")
        rows += [measured(picture.stem, of_picture(pipeline, picture), clock, options.repeats)
                 for picture in options.small]  # fmt: skip
    else:
        for name in options.objects:
            fields, picture = prepared(OBJECTS[name])
            rows += [
                measured(f"{name} {size}", of_fields(fields, picture, size), clock, options.repeats)
                for size in options.sizes
            ]
    print_table(rows)
    print(json.dumps({"benchmark": "surface", "repeats": options.repeats, "rows": rows}))


class Clock:
    """CPU seconds by name; every part that is found is measured wherever it is called from."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.away = 0.0  # spent in the fields
        for module, names in PARTS.items():
            room = importlib.import_module(module)
            for name in names:
                if hasattr(room, name):
                    setattr(room, name, self._watched(name, getattr(room, name)))

    def now(self) -> float:
        """CPU seconds of this process, without the fields'."""
        return time.process_time() - self.away

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time the body under a name."""
        start = self.now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - start

    def field(self, asked: Callable[..., Any]) -> Callable[..., Any]:
        """A field whose time does not count."""

        @wraps(asked)
        def answer(*arguments: Any) -> Any:
            start = time.process_time()
            try:
                return asked(*arguments)
            finally:
                self.away += time.process_time() - start

        return answer

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return function(*arguments, **named)

        return watched


class CpuWatch(Stopwatch):
    """The stages in CPU seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body under a name in capitals: whole stages beside their parts."""
        with self.clock.part(name.upper()):
            yield


class Fields:
    """A grid made before, and analytic colours."""

    half_extent = 1.0

    def __init__(self, grid: FlexiGrid) -> None:
        self._grid = grid

    def grid(self, resolution: int) -> FlexiGrid:
        """The same at any resolution."""
        return self._grid

    def color(self, points: np.ndarray) -> np.ndarray:
        """Broad areas with fine stripes."""
        x, y, z = points.T
        broad = np.stack([0.5 + 0.3 * np.sin(5 * z), 0.5 + 0.3 * np.cos(4 * y), 0.5 + 0.3 * np.sin(6 * x)], 1)
        return (broad + 0.1 * np.sin(60 * (x + z))[:, None]).astype(np.float32)


def measured(name: str, run: Callable[[Clock], Mesh], clock: Clock, repeats: int) -> dict[str, Any]:
    """The best CPU milliseconds of every stage and part, and what the mesh is."""
    runs = []
    for _ in range(repeats + 1):
        clock.seconds = {}
        with clock.part("TOTAL"):
            mesh = run(clock)
        runs.append(clock.seconds)
    best = {part: round(1e3 * min(r.get(part, 0.0) for r in runs[1:]), 1) for part in runs[-1]}
    assert mesh.texture is not None
    digest = hashlib.sha256(mesh.vertices.tobytes() + mesh.faces.tobytes() + mesh.texture.tobytes())
    return {
        "name": name,
        "faces": len(mesh.faces),
        "texture": len(mesh.texture),
        "sha256": digest.hexdigest()[:12],
        "cpu_ms": best,
    }


def of_fields(fields: Fields, picture: np.ndarray, size: int) -> Callable[[Clock], Mesh]:
    """One whole run on analytic fields."""

    def run(clock: Clock) -> Mesh:
        class Timed(Fields):
            color = staticmethod(clock.field(fields.color))  # type: ignore[assignment]

        timed = Timed(fields.grid(RESOLUTION))
        mesh, facts = surface_to_asset(timed, picture, AssetOptions(), RESOLUTION, size, CpuWatch(clock))
        assert facts["projected"], facts
        with clock.part("SAVE"):
            encode(mesh, ".glb")
        return mesh

    return run


def of_picture(pipeline: GecoPipeline, path: Path) -> Callable[[Clock], Mesh]:
    """One whole run on the embedded model's fields: these ask the network themselves, which counts."""
    seen = pipeline.see(path)
    (views,) = pipeline.views(seen, [0])

    def run(clock: Clock) -> Mesh:
        asset = pipeline.finish(views, seen, watch=CpuWatch(clock))
        with clock.part("SAVE"):
            asset.encode(".glb")
        return asset.mesh

    return run


def prepared(field: Callable[..., np.ndarray]) -> tuple[Fields, np.ndarray]:
    """An object's fields, with weights as a network gives them, and a picture of it."""
    axis = np.linspace(-1, 1, RESOLUTION + 1)
    grid = grid_from_volume(field(*np.meshgrid(axis, axis, axis, indexing="ij")), 1.0)
    rng, count = np.random.default_rng(0), len(grid.cubes)
    grid.beta, grid.alpha, grid.gamma = (
        rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((count, 12), (count, 8), count)
    )
    grid.weight_scale = 0.5
    fields = Fields(grid)
    mesh = Mesh(*extract(grid))
    mesh.colors = fields.color(mesh.vertices).clip(0, 1)
    pose = orbit_poses(0.0, ELEVATION, 4.0)
    return fields, render_mesh(mesh, pose, INPUT_FOV, PROJECTION_SIZE)


def laden_figure(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The noisy figure with a pack, a ring around it, a base and crumbs: about 80,000 faces."""
    x, y, z = x / 0.9, y / 0.9, z / 0.9
    parts = [
        box(x, y, z, (-0.35, 0, 0.2), (0.18, 0.32, 0.28)),
        box(x, y, z, (0, 0, -0.85), (0.45, 0.45, 0.05)),
        np.hypot(np.hypot(x, y) - 0.8, z + 0.2) - 0.05,
        np.maximum(waves(x, y, z, 12.0, 5) + 1.9, ball(x, y, z)) * 0.05,
    ]
    return np.minimum(noisy_figure(x, y, z), np.minimum.reduce(parts) + 0.003 * waves(x, y, z, 30.0, 3))


def large_sponge(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Tunnels, caves and islands: about 106,000 faces."""
    return np.maximum(0.4 * waves(x, y, z, 6.5, 2) + 0.1, ball(x, y, z) - 0.05)


OBJECTS = {"figure": laden_figure, "sponge": large_sponge}


def print_table(rows: list[dict[str, Any]]) -> None:
    """A line a stage or part, a column an object."""
    names = list(dict.fromkeys(name for row in rows for name in row["cpu_ms"]))
    print(f"{'CPU ms':18}" + "".join(f"{row['name']:>16}" for row in rows))
    print(f"{'faces':18}" + "".join(f"{row['faces']:16,}" for row in rows))
    for name in names:
        print(f"{name:18}" + "".join(f"{row['cpu_ms'].get(name, 0):16.1f}" for row in rows))


if __name__ == "__main__":
    main()
