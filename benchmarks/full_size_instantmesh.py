"""One InstantMesh checkpoint of full size with random values: written in the public layout, converted,
loaded, run once.

    python benchmarks/full_size_instantmesh.py [--model instant-mesh-large] [--threads 2] [--folder DIR]

Prints time, CPU time and peak memory of every step and one JSON line. Needs 3 GB of disk in DIR (default: a
temporary folder). Random weights hold no object but noise: the SDF's last bias is moved so that a hundredth
of the grid is inside, which crosses several times more cubes than an object does. ``seconds`` is the clock's,
``cpu_seconds`` the process's own on all threads: on a machine busy with other things only the second says
what the step costs.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from geco.cameras import ZERO123PLUS_V12
from geco.isosurface.flexicubes_numpy import extract
from geco.public_weights import instantmesh
from geco.reconstruct.instantmesh.config import RELEASED
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.surface import MeshSurface

VIEW_SIZE = 320  # pixels a side, Zero123++'s tiles
INSIDE = 0.01  # share of the grid inside the surface


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--model", default="instant-mesh-large", choices=[n for n, c in RELEASED.items() if c.kind == "mesh"]
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="where the two files go; deleted afterwards only if it was made here"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        steps, facts = run(options.model, Path(folder))
    peak = max(step["peak_gb"] for step in steps.values())
    print(
        json.dumps(
            {"model": options.model, "threads": options.threads, "peak_gb": peak, "steps": steps, **facts}
        )
    )


def run(name: str, folder: Path) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Every step's seconds and peak gigabytes, and facts about what came out."""
    steps: dict[str, dict[str, float]] = {}
    checkpoint = folder / instantmesh.FILES[name]
    with measured("write a random .ckpt", steps):
        write_random(name, checkpoint)
    with measured("convert", steps):
        instantmesh.convert(checkpoint, folder / "converted")
    with measured("load", steps):
        model = instantmesh.load(folder / "converted")
    images = torch.rand(1, 6, 3, VIEW_SIZE, VIEW_SIZE, generator=torch.Generator().manual_seed(1))
    cameras = torch.from_numpy(ZERO123PLUS_V12.vectors())[None]
    with torch.inference_mode(), measured(f"planes from 6 x {VIEW_SIZE} px", steps):
        planes = model(images, cameras)
    resolution = model.config.grid_res
    surface = MeshSurface(model.synthesizer, planes)
    with torch.inference_mode():
        corners, _ = model.synthesizer.grid(planes.device, 32)
        level = torch.quantile(model.synthesizer.sdf(planes, corners), INSIDE)
        model.synthesizer.decoder.net_sdf[-1].bias -= level
    with measured(f"fields on the {resolution}^3 grid", steps):
        grid = surface.grid(resolution)
    with measured("FlexiCubes (numpy)", steps):
        vertices, faces = extract(grid)
    with measured("colours of 100,000 points", steps):
        colors = surface.color(vertices[:100_000])
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "ckpt_gb": gigabytes(checkpoint.stat().st_size),
        "safetensors_gb": gigabytes(
            (folder / "converted" / f"{instantmesh.PART}.safetensors").stat().st_size
        ),
        "planes": list(planes.shape),
        "surface_cubes": len(grid.cubes),
        "vertices": len(vertices),
        "faces": len(faces),
        "finite": bool(torch.isfinite(planes).all()) and bool((colors == colors).all()),
    }
    return steps, facts


def write_random(name: str, path: Path) -> None:
    """The layout of the released files: a dictionary with 'state_dict', keys behind
    'lrm_generator.', and others beside.
    """
    torch.manual_seed(0)
    state = {
        f"{instantmesh.PREFIX}{key}": value for key, value in InstantMesh(RELEASED[name]).state_dict().items()
    }
    torch.save({"state_dict": {**state, "lpips.net.lin0.weight": torch.rand(64)}}, path)


@contextmanager
def measured(step: str, into: dict[str, dict[str, float]]) -> Iterator[None]:
    """Time and peak resident memory (mapped files included) of a step, printed and kept."""
    reset_peak()
    start, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    into[step] = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "peak_gb": gigabytes(peak_bytes()),
    }
    print(f"{step:32} {seconds:8.2f} s {cpu_seconds:8.2f} s CPU {into[step]['peak_gb']:8.2f} GB", flush=True)


def reset_peak() -> None:
    """Linux can forget the highest memory so far; elsewhere peaks are those since the start."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_bytes() -> int:
    """Highest resident memory since :func:`reset_peak`, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def gigabytes(count: int) -> float:
    return round(count / 1e9, 3)


if __name__ == "__main__":
    main()
