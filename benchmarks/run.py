"""How long a picture takes to become a textured GLB on disk: ``python -m benchmarks.run [PICTURE]``.

Warm: one loaded pipeline, after warm-up, the median of ``--repeats`` calls, stage by stage, the file written
each time.
Cold: the whole process `geco run PICTURE` from its start, the median of ``--cold-repeats``.
Imports: the costliest modules of that process (``python -X importtime``). Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "picture", nargs="?", type=Path, default=Path(__file__).parent.parent / "examples" / "bus.png"
    )
    parser.add_argument("--model", default="small")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cold-repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "asset.glb"
        # Cold first: the warm runs of this process must not warm caches that a fresh process would not have.
        cold = [cold_seconds(options, output) for _ in range(options.cold_repeats + 1)][1:]
        imports = import_seconds(options, output)
        stages, facts = warm_seconds(options, output)
    print(f"{options.picture.name}, {facts['faces']:,} faces, {os.cpu_count()} cores")
    print(f"median of {options.repeats} after {options.warm_up} to warm up")
    print(f"\n{'warm stage':14} {'median ms':>10} {'min':>8} {'max':>8}")
    for name, values in stages.items():
        print(
            f"{name:14} {1e3 * statistics.median(values):10.1f} {1e3 * min(values):8.1f} "
            f"{1e3 * max(values):8.1f}"
        )
    print(
        f"\ncold process   {1e3 * statistics.median(cold):10.1f} {1e3 * min(cold):8.1f} "
        f"{1e3 * max(cold):8.1f}"
    )
    print("\nimports of the cold process, cumulative ms")
    for name, milliseconds in imports:
        print(f"{name:40} {milliseconds:8.1f}")
    line = {
        "picture": options.picture.name,
        "warm_s": {name: round(statistics.median(values), 4) for name, values in stages.items()},
        "cold_s": round(statistics.median(cold), 4),
        "imports_ms": dict(imports),
        **facts,
    }
    print(json.dumps(line))


def warm_seconds(options: argparse.Namespace, output: Path) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of every stage over the repeats, file writing and whole call included, and the mesh's size."""
    from geco import GecoPipeline

    pipeline = GecoPipeline.from_pretrained(options.model)
    stages: dict[str, list[float]] = {}
    for repeat in range(-options.warm_up, options.repeats):
        start = time.perf_counter()
        asset = pipeline(options.picture, seed=max(repeat, 0))
        saving = time.perf_counter()
        asset.save(output)
        end = time.perf_counter()
        if repeat >= 0:
            timed = {k: v for k, v in asset.timings.items() if k != "total"}
            for name, seconds in {**timed, "save": end - saving, "total": end - start}.items():
                stages.setdefault(name, []).append(seconds)
    return stages, {"faces": len(asset.mesh.faces), "glb_bytes": output.stat().st_size}


def command(options: argparse.Namespace, output: Path) -> list[str]:
    """The command line of one run."""
    return [
        "-m",
        "geco.cli.main",
        "run",
        str(options.picture),
        "--model",
        options.model,
        "-o",
        str(output),
        "--quiet",
    ]


def cold_seconds(options: argparse.Namespace, output: Path) -> float:
    """Wall seconds of one whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command(options, output)], check=True)
    return time.perf_counter() - start


def import_seconds(options: argparse.Namespace, output: Path, most: int = 10) -> list[tuple[str, float]]:
    """The costliest top-level packages and modules of ours by cumulative import time, milliseconds."""
    arguments = [sys.executable, "-X", "importtime", *command(options, output)]
    report = subprocess.run(arguments, check=True, capture_output=True, text=True).stderr
    costs: dict[str, float] = {}
    for line in report.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[1].strip().isdigit():
            name = fields[2].strip()
            if "." not in name or name.startswith("geco."):
                costs[name] = int(fields[1]) / 1e3
    return sorted(costs.items(), key=lambda item: -item[1])[:most]


if __name__ == "__main__":
    main()
