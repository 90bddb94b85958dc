"""How long a picture takes to become a textured GLB on disk: ``python -m benchmarks.run [PICTURE]``.

Warm: one loaded pipeline, after warm-up, the median of ``--repeats`` calls, stage by stage, the file written
each time.
Cold: the whole process `geco run PICTURE` from its start, the median of ``--cold-repeats``: wall seconds, CPU
seconds (user and system, all threads), and the peak of its resident memory. Modules are compiled, as they are
in an installed package.
Imports: the costliest modules of that process (``python -X importtime``).
``--busy N`` measures beside N processes that only keep a core busy. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """What one whole process took: seconds on the wall and of CPU, and its peak of resident memory in MiB."""

    wall: float
    cpu: float
    peak: float


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
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N busy processes")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded, as `geco run` has it
    with tempfile.TemporaryDirectory() as folder, busy_processes(options.busy):
        output = Path(folder) / "asset.glb"
        # Cold first: the warm runs of this process must not warm caches that a fresh process would not have,
        # and Linux counts the memory of the process that starts another towards its peak.
        compiled = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        compiled.pop("PYTHONDONTWRITEBYTECODE", None)
        # the first one compiles
        cold = [cold_process(options, output, compiled) for _ in range(options.cold_repeats + 1)][1:]
        imports = import_seconds(options, output, compiled)
        stages, facts = warm_seconds(options, output)
    beside = f", beside {options.busy} busy processes" if options.busy else ""
    print(f"{options.picture.name}, {facts['faces']:,} faces, {os.cpu_count()} cores{beside}")
    print(f"median of {options.repeats} after {options.warm_up} to warm up")
    print(f"\n{'warm stage':14} {'median ms':>10} {'min':>8} {'max':>8}")
    for name, values in stages.items():
        print(
            f"{name:14} {1e3 * statistics.median(values):10.1f} {1e3 * min(values):8.1f} "
            f"{1e3 * max(values):8.1f}"
        )
    wall, cpu, peak = zip(*map(astuple, cold))
    print()
    for name, values in (("cold wall ms", wall), ("cold CPU ms", cpu), ("cold peak MiB", peak)):
        unit = 1 if name.endswith("MiB") else 1e3
        print(
            f"{name:14} {unit * statistics.median(values):10.1f} {unit * min(values):8.1f} "
            f"{unit * max(values):8.1f}"
        )
    print("\nimports of the cold process, cumulative ms")
    for name, milliseconds in imports:
        print(f"{name:40} {milliseconds:8.1f}")
    line = {
        "picture": options.picture.name,
        "warm_s": {name: round(statistics.median(values), 4) for name, values in stages.items()},
        "cold_s": round(statistics.median(wall), 4),
        "cold_cpu_s": round(statistics.median(cpu), 4),
        "cold_peak_mib": round(statistics.median(peak), 1),
        "busy": options.busy,
        "imports_ms": dict(imports),
        **facts,
    }
    print(json.dumps(line))


def warm_seconds(options: argparse.Namespace, output: Path) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of every stage over the repeats, of file writing and of the whole call (its CPU seconds too),
    and the mesh's size.
    """
    from geco import GecoPipeline

    pipeline = GecoPipeline.from_pretrained(options.model)
    stages: dict[str, list[float]] = {}
    for repeat in range(-options.warm_up, options.repeats):
        start, used = time.perf_counter(), time.process_time()
        asset = pipeline(options.picture, seed=max(repeat, 0))
        saving = time.perf_counter()
        asset.save(output)
        end, cpu = time.perf_counter(), time.process_time() - used
        if repeat >= 0:
            timed = {k: v for k, v in asset.timings.items() if k != "total"}
            whole = {"save": end - saving, "total": end - start, "total CPU": cpu}
            for name, seconds in {**timed, **whole}.items():
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


def cold_process(options: argparse.Namespace, output: Path, environment: dict[str, str]) -> Process:
    """One whole process, from before its start to after its end."""
    start, before = time.perf_counter(), _children()
    with subprocess.Popen([sys.executable, *command(options, output)], env=environment) as child:
        if hasattr(os, "wait4"):
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            cpu = used.ru_utime + used.ru_stime
            peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        else:  # Windows tells neither of a process that has ended
            child.wait()
            cpu, peak = _children() - before, 0.0
    if child.returncode:
        raise SystemExit(f"geco run ended with {child.returncode}")
    return Process(time.perf_counter() - start, cpu, peak)


def _children() -> float:
    """CPU seconds of all processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that keep a core busy each, for as long as the context lasts."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def import_seconds(
    options: argparse.Namespace, output: Path, environment: dict[str, str], most: int = 10
) -> list[tuple[str, float]]:
    """The costliest top-level packages and modules of ours by cumulative import time, milliseconds."""
    arguments = [sys.executable, "-X", "importtime", *command(options, output)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment)
    report = done.stderr
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
