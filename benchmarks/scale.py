"""What many pictures on many machines cost, and where it would break first: a simulation of discrete events.

``python -m benchmarks.scale [--pictures 1000000] [--machines 100] [--price 0.04]``

Every worker takes a task from one driver, reads its pictures and writes its meshes over one file server, and
dies now and then. What a task and a picture cost is measured (:mod:`benchmarks.scale_measure`; --measured
takes another machine's), what a file server and a machine are is stated. Prints JSON: the run, how busy
driver and file server are as machines are added, and what planning and the manifest take.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Parameters:
    """All that the simulation knows; seconds and bytes a picture unless said otherwise.

    Measured on the machine that results.md describes, by benchmarks/scale_measure.py and benchmarks/many.py:

    Attributes:
        picture: CPU seconds on one thread, and log_spread of its logarithm.
        load: of the model, in a new process. bytes_in, bytes_out: of the picture, of the GLB.
        task, look, look_each: of the driver's one thread, to hand out a task and take its results; to see
            which are done, and more for each worker. line: to add to the manifest.
        find, plan: before the first. plan_bytes: of the driver's memory. line_bytes: of the manifest.
        read, plan_again, state: of a second run over what is done. entry_bytes: of its memory.

    Stated, as they differ from place to place:

    Attributes:
        machines, cores: of them. pictures: in all. at_once: in one task.
        file_operations: that the server does in a second, with small files. operations: of one picture: look,
            open, close; make, rename, look at the mesh. bandwidth: bytes a second of the server.
        crashes: share of pictures that end their worker. losses: of machines, an hour each.
        price: of a core for an hour.
    """

    picture: float = 0.41
    log_spread: float = 0.13
    load: float = 0.9
    bytes_in: int = 110_000
    bytes_out: int = 400_000
    task: float = 0.0005
    look: float = 0.0003
    look_each: float = 2.2e-7
    line: float = 0.000026
    find: float = 0.00003
    plan: float = 0.000055
    plan_bytes: int = 2500
    line_bytes: int = 330
    read: float = 0.000011
    plan_again: float = 0.00007
    state: float = 0.00001
    entry_bytes: int = 670

    machines: int = 100
    cores: int = 16
    pictures: int = 1_000_000
    at_once: int = 1
    file_operations: float = 20_000.0
    operations: int = 8
    bandwidth: float = 5e9
    crashes: float = 1e-4
    losses: float = 1e-3
    price: float = 0.04


@dataclass
class Server:
    """One thing at a time, the others wait: the driver, the file server."""

    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When it is done."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


@dataclass
class Run:
    """What came out."""

    hours: float = 0.0
    core_hours: float = 0.0
    idle: float = 0.0
    again: int = 0
    driver_busy: float = 0.0
    files_busy: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


def simulate(given: Parameters, seed: int = 0) -> Run:
    """The pictures through the workers, until the last is written."""
    rng, driver, files = random.Random(seed), Server(), Server()
    workers = given.machines * given.cores
    mean = math.log(given.picture) - given.log_spread**2 / 2
    start = given.pictures * (given.find + given.plan)
    left, again, worked = given.pictures, 0, 0.0
    # two looks, which in truth serve all tasks that are done by then
    task = given.task + 2 * (given.look + given.look_each * workers)
    loss = given.losses / 3600 / given.cores  # of one worker, a second
    events = [(start + given.load, worker) for worker in range(workers)]
    heapq.heapify(events)
    end = start
    while left > 0 and events:
        now, worker = heapq.heappop(events)
        count = min(given.at_once, left)
        left -= count
        taken = driver.serve(now, task + count * given.line)
        fetched = files.serve(taken, _file_seconds(given, count))
        spent = sum(rng.lognormvariate(mean, given.log_spread) for _ in range(count))
        done = fetched + spent
        worked += spent
        if rng.random() < count * given.crashes:
            done += given.load + 3 * given.picture  # a crash: two more tries, each in a new process
        if rng.random() < loss * (done - now):
            left, again = left + count, again + count  # the machine is gone with what it had in hand
            done += 120.0
        end = max(end, done)
        heapq.heappush(events, (done, worker))
    seconds = end - start
    return Run(
        hours=end / 3600,
        core_hours=workers * end / 3600,
        idle=1 - worked / (workers * seconds),
        again=again,
        driver_busy=driver.busy / seconds,
        files_busy=files.busy / seconds,
    )


def _file_seconds(given: Parameters, count: int) -> float:
    moved = count * (given.bytes_in + given.bytes_out)
    return max(count * given.operations / given.file_operations, moved / given.bandwidth)


def described(given: Parameters) -> dict[str, Any]:
    """A run in the words of a bill, and what the driver holds."""
    run = simulate(given)
    count = given.pictures
    return {
        "machines": given.machines,
        "cores": given.machines * given.cores,
        "pictures": count,
        "pictures_a_task": given.at_once,
        "hours": round(run.hours, 3),
        "core_hours": round(run.core_hours, 1),
        "price": round(run.core_hours * given.price, 2),
        "idle": round(run.idle, 3),
        "driver_busy": round(run.driver_busy, 3),
        "file_server_busy": round(run.files_busy, 3),
        "made_again": run.again,
        "terabytes": round(count * (given.bytes_in + given.bytes_out) / 1e12, 3),
        "planning_seconds": round(count * (given.find + given.plan), 1),
        "driver_gigabytes": round(count * given.plan_bytes / 1e9, 2),
        "manifest_gigabytes": round(count * given.line_bytes / 1e9, 2),
        "second_run_seconds": round(count * (given.find + given.read + given.plan_again + given.state), 1),
        "second_run_gigabytes": round(count * (given.plan_bytes + given.entry_bytes) / 1e9, 2),
    }


def main() -> None:
    """Simulate and print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("pictures", "machines", "cores"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Parameters, name))
    for name in ("price", "file_operations", "bandwidth", "crashes", "losses"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(Parameters, name))
    parser.add_argument("--measured", type=Path, help="JSON with other measured parameters, by name")
    options = vars(parser.parse_args())
    measured = options.pop("measured")
    given = Parameters(**options, **(json.loads(measured.read_text()) if measured else {}))
    given = replace(given, at_once=pictures_a_task(given.machines * given.cores))
    growing = [
        described(replace(given, machines=machines, at_once=at_once, pictures=machines * given.cores * 500))
        for machines in (1, 10, 30, 100, 300)
        for at_once in sorted({1, pictures_a_task(machines * given.cores)})
    ]
    found = {"parameters": asdict(given), "run": described(given)}
    print(json.dumps({**found, "singly": described(replace(given, at_once=1)), "growing": growing}, indent=1))


def pictures_a_task(workers: int) -> int:
    """As the product chooses it."""
    from geco.many.pool import in_one_task

    return in_one_task(workers)


if __name__ == "__main__":
    main()
