"""Folders of objects to shards: objects a second, failures by reason, bytes; then killed and restarted,
compared byte for byte.

``python -m benchmarks.data_render OBJECTS_DIR… -o DIR [--workers 2] [--kills 3]``: runs the real ``geco data
render`` into DIR/whole, then again into DIR/killed with a SIGKILL at random moments; the last line printed is
JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from geco.cli.data_info import collect

VIEWS = "zero123plus-v1.2,condition-6,random-16"


def main() -> None:
    """Measure, kill, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--views", default=VIEWS)
    parser.add_argument("--channels", default="rgba,depth")
    parser.add_argument("--kills", type=int, default=1, help="of the second run; 0 leaves it out")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the moments of the kills (default: from the clock)"
    )
    options = parser.parse_args()
    whole, killed = options.output / "whole", options.output / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    facts: dict[str, Any] = {
        "workers": options.workers,
        "size": options.size,
        "load_before": os.getloadavg()[0],
    }
    seconds, cpu = timed(command(options, whole))
    found = collect(whole)
    done = found["objects"] + sum(found["skipped"].values())
    facts |= {
        "objects": found["objects"],
        "skipped": found["skipped"],
        "sets": found["sets"],
        "channels": found["channels"],
    }
    facts |= {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "objects_s": round(done / seconds, 2),
    }
    facts |= {"cpu_ms_an_object": round(cpu / done * 1e3, 1), "load_after": os.getloadavg()[0]}
    facts |= {"pictures": found["pictures"], "bytes": found["bytes"], "shards": found["shards"]}
    print(json.dumps(facts), flush=True)
    if options.kills:
        facts |= kill_and_compare(options, whole, killed, seconds)
    print(json.dumps(facts))


def command(options: argparse.Namespace, output: Path) -> list[str]:
    """The command line of one run."""
    start = [
        sys.executable,
        "-m",
        "geco.cli.main",
        "data",
        "render",
        *map(str, options.folders),
        "-o",
        str(output),
    ]
    pictures = ["--views", options.views, "--size", str(options.size), "--channels", options.channels]
    return [*start, *pictures, "--workers", str(options.workers)]


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a run with all its processes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(arguments, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu


def kill_and_compare(
    options: argparse.Namespace, whole: Path, killed: Path, seconds: float
) -> dict[str, Any]:
    """Killed at random moments of an uninterrupted run's length, restarted, finished, compared."""
    seed = int(time.time()) if options.seed is None else options.seed
    rng, moments = random.Random(seed), []
    for _ in range(options.kills):
        process = subprocess.Popen(command(options, killed))
        moment = rng.uniform(0.05, 0.9) * seconds / options.kills
        try:
            process.wait(moment)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            moments.append(round(moment, 2))
    timed(command(options, killed))
    same = digests(whole) == digests(killed)
    return {
        "kill_seed": seed,
        "killed_after_s": moments,
        "files": len(digests(whole)),
        "byte_identical": same,
    }


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file."""
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        found[str(path.relative_to(folder))] = digest.hexdigest()
    return found


if __name__ == "__main__":
    main()
