"""Throughput of many pictures: python -m benchmarks.many --photos PICTURES --folder WORK [--pictures 1000]

Makes the pictures (``benchmarks/many_pictures.py``), then runs ``geco run`` over them in several ways, whole
commands from start to end, the ways in turn so that a machine that changes changes for all: one process held
to one core, one on all cores, workers, a local Ray of two workers. Every way's files are compared byte for
byte. "killed" ends a worker by kill -9 every few seconds and the command once, and runs it again. "smt" is
what two cores of this machine are worth together for a loop of numpy: on two threads of one core, hardly
more than one.

Prints JSON; what is done is kept in WORK/results.json, so the same command goes on where it was stopped.
``--ways`` names what shall be measured, ``--rounds`` in how many parts.
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
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.many_pictures import make, originals

EXAMPLES = Path(__file__).parent.parent / "examples"
WAYS = ("smt", "one-core", "one", "workers-2", "ray-2", "killed")
LOOP = """
import os, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
os.sched_setaffinity(0, {int(sys.argv[1])})
square = np.random.default_rng(0).standard_normal((384, 384)).astype(np.float32)
line, done, start = square.ravel()[:40000].copy(), 0, time.perf_counter()
while time.perf_counter() - start < float(sys.argv[2]):
    square @ square, np.sin(line)
    done += 1
print(done / (time.perf_counter() - start))
"""


def main() -> None:
    """Measure what is missing and print all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders, beside examples/")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ways", default=",".join(WAYS), help="smt, one-core, one, workers-N, ray-N, killed")
    options = parser.parse_args()
    ways = options.ways.split(",")
    sources = originals([EXAMPLES, *options.photos])
    print(f"{len(sources)} pictures become {options.pictures}", file=sys.stderr)
    pictures = make(sources, options.folder / "pictures", options.pictures)
    bench = Bench(options.folder, pictures, options.rounds)
    for number in range(options.rounds):
        for way in ways:
            bench.once(way, number)
    print(json.dumps(bench.summary(), indent=1))


class Bench:
    """Pictures in parts, one a round, and what was measured of them."""

    def __init__(self, folder: Path, pictures: list[Path], rounds: int) -> None:
        self.folder, self.rounds, self.count = folder, rounds, len(pictures)
        self.file = folder / "results.json"
        self.results: dict[str, dict[str, Any]] = (
            json.loads(self.file.read_text()) if self.file.exists() else {}
        )
        for number in range(rounds):
            part = self._part(number)
            part.mkdir(parents=True, exist_ok=True)
            for picture in pictures[number::rounds]:
                if not (part / picture.name).exists():
                    os.link(picture, part / picture.name)

    def once(self, way: str, number: int) -> None:
        """One way over one part, unless that is done."""
        key = f"{self.count}/{self.rounds} {number} {way}"
        if key in self.results:
            return
        print(key, file=sys.stderr, flush=True)
        found = smt() if way == "smt" else self._measured(way, number)
        self.results[key] = {"way": way, "part": number, **found}
        self.file.write_text(json.dumps(self.results, indent=1))

    def _measured(self, way: str, number: int) -> dict[str, Any]:
        out = self.folder / "out" / f"{self.count}-{self.rounds}-{number}-{way}"
        shutil.rmtree(out, ignore_errors=True)
        command = [
            sys.executable,
            "-m",
            "geco.cli.main",
            "run",
            str(self._part(number)),
            "-o",
            f"{out}/",
            "-q",
        ]
        kind, _, workers = way.partition("-")
        if kind == "ray":
            command += ["--ray", "local", "--workers", workers]
        elif kind == "workers":
            command += ["--workers", workers]
        elif way == "killed":
            command += ["--workers", "2"]
        elif way == "one-core":
            command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *command]
        before, start = _cpu(), time.perf_counter()
        kills = killed(command, out) if way == "killed" else 0
        code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
        seconds, cpu = time.perf_counter() - start, _cpu() - before
        meshes = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.glb"))
        }
        total = hashlib.sha256(json.dumps(meshes).encode()).hexdigest()[:16]
        shutil.rmtree(out)
        return {
            "seconds": round(seconds, 2),
            "cpu_seconds": None if kind == "ray" else round(cpu, 2),  # its processes are no children of ours
            "exit_code": code,
            "meshes": len(meshes),
            "sha256_of_all": total,
            **({"kills": kills} if way == "killed" else {}),
        }

    def summary(self) -> dict[str, Any]:
        """By way: pictures a second, CPU seconds a picture; the ratios; whether all bytes are the same."""
        by_way: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for key, found in self.results.items():
            if key.startswith(f"{self.count}/{self.rounds} "):
                by_way[found["way"]].append(found)
        limits = [found["two_to_one"] for found in by_way.pop("smt", [])]
        digests: dict[int, set[str]] = defaultdict(set)
        rates = {}
        ways = {}
        for way, runs in by_way.items():
            pictures = sum(run["meshes"] for run in runs)
            for run in runs:
                digests[run["part"]].add(run["sha256_of_all"])
            rates[way] = pictures / sum(run["seconds"] for run in runs)
            cpu = [run["cpu_seconds"] for run in runs]
            ways[way] = {
                "pictures": pictures,
                "pictures_a_second": round(rates[way], 3),
                "cpu_seconds_a_picture": None if None in cpu else round(sum(cpu) / pictures, 3),
                "exit_codes": [run["exit_code"] for run in runs],
                "kills": sum(run.get("kills", 0) for run in runs),
            }
        ratios = {
            f"{way} / {base}": round(rates[way] / rates[base], 3)
            for base in ("one-core", "one")
            for way in rates
            if base in rates and way != base
        }
        return {
            "pictures": self.count,
            "cores": len(os.sched_getaffinity(0)),
            "two_cores_to_one_for_numpy": round(statistics.median(limits), 3) if limits else None,
            "ways": ways,
            "throughput": ratios,
            "same_bytes": all(len(found) == 1 for found in digests.values()),
        }

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{self.count}-{self.rounds}-{number}"


def smt(seconds: float = 4.0) -> dict[str, Any]:
    """Rates of a loop on one core, and on two at the same time."""

    def rates(*cores: int) -> list[float]:
        command = [sys.executable, "-c", LOOP]
        runs = [
            subprocess.Popen([*command, str(core), str(seconds)], stdout=subprocess.PIPE, text=True)
            for core in cores
        ]
        return [float(run.communicate()[0]) for run in runs]

    first, second = sorted(os.sched_getaffinity(0))[:2]
    rounds = [(statistics.mean(rates(first) + rates(second)), sum(rates(first, second))) for _ in range(3)]
    one, two = (statistics.median(column) for column in zip(*rounds))
    return {"one": round(one, 1), "two": round(two, 1), "two_to_one": round(two / one, 3)}


def killed(command: list[str], out: Path) -> int:
    """Run with a worker killed every few seconds, and at two thirds the command itself; how many were."""
    rng, kills = random.Random(0), 0
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    pictures = sum(1 for _ in Path(command[command.index("run") + 1]).iterdir())
    manifest = out / "manifest.jsonl"
    while process.poll() is None:
        time.sleep(rng.uniform(3, 6))
        done = manifest.read_bytes().count(b"\n") if manifest.exists() else 0
        if done > pictures * 2 / 3:
            process.kill()
            process.wait()
            return kills + 1
        if (workers := _workers(process.pid)) and done:
            os.kill(rng.choice(workers), signal.SIGKILL)
            kills += 1
    return kills


def _workers(process: int) -> list[int]:
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(one) for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    except OSError:
        return []


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    main()
