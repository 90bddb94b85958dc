"""What :mod:`benchmarks.scale` needs to know and can be measured on one machine:
``python -m benchmarks.scale_measure [--ray] > measured.json``.

Pictures are not made here: seconds and bytes of a picture come from a manifest (``--manifest``).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geco.cli.pictures import Given, find_pictures
from geco.files import sweep
from geco.many.manifest import Manifest, stamp_of, state_of
from geco.many.results import Result, Sample
from geco.memory import resident
from geco.outputs import Wanted, plan
from geco.processes import Bounds, Workers

JPEG = b"\xff\xd8\xff\xe0"


class Nothing:
    """A worker without a model: what is left is the cost of handing work out."""

    def prepare(self) -> int:
        return 1

    def __call__(self, argument: Any) -> Any:
        return argument


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=int, default=100_000, help="of the plan; 0: none is made")
    parser.add_argument("--tasks", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--ray", action="store_true", help="also the cost of a task on a local Ray")
    parser.add_argument("--manifest", type=Path, help="of a real run by one worker")
    options = parser.parse_args()
    from benchmarks.scale_measure import Nothing  # not __main__'s, which no worker knows

    found: dict[str, Any] = {}
    if options.manifest:
        found |= pictures_of(options.manifest)
    if options.pictures:
        found |= planning(options.pictures)
    for count in options.tasks:
        with Workers(Nothing(), 2, Bounds(60, 0)) as local:
            local.prepare()
            found[f"local_task_{count}"] = cost_of(lambda pool=local, n=count: run(pool, n), count)
    if options.ray:
        from geco.processes.ray_workers import RayWorkers

        for count in options.tasks:
            with RayWorkers(Nothing(), "local", 2, Bounds(60, 0)) as cluster:
                found[f"ray_task_{count}"] = cost_of(lambda pool=cluster, n=count: run(pool, n), count)
        found["ray_wait_seconds"] = waiting()
    print(json.dumps(found, indent=1))


def run(pool: Any, count: int) -> None:
    """So many tasks as small as a real one's description."""
    task = [{"number": 1, "picture": "p" * 60, "outputs": ["o" * 60], "steps": None, "files": []}]
    done = sum(1 for _ in pool.run((f"{number}-{number + 1}", task) for number in range(count)))
    assert done == count


def cost_of(action: Callable[[], None], count: int) -> dict[str, float]:
    """Milliseconds each: on the wall, and of this process's CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    action()
    wall, spent = time.perf_counter() - start, time.process_time() - cpu
    return {"wall_ms": round(wall / count * 1e3, 4), "driver_cpu_ms": round(spent / count * 1e3, 4)}


def waiting() -> dict[int, float]:
    """CPU seconds of one ``ray.wait`` on so many tasks that are not done."""
    import ray

    ray.init(num_cpus=1, log_to_driver=False, include_dashboard=False, object_store_memory=80 << 20)

    @ray.remote(num_cpus=0)  # type: ignore[untyped-decorator, unused-ignore]
    class Idle:
        def hold(self) -> None:
            time.sleep(1000)

        def answer(self) -> int:
            return 1

    holder, quick = Idle.remote(), Idle.remote()
    found = {}
    for count in (16, 160, 1600):
        pending = [holder.hold.remote() for _ in range(count)]
        ray.get(quick.answer.remote())
        repeats, start = 50, time.process_time()
        for _ in range(repeats):
            ray.wait([*pending, quick.answer.remote()], num_returns=1)
        found[count] = round((time.process_time() - start) / repeats, 6)
    ray.shutdown()
    return found


def planning(count: int) -> dict[str, float]:
    """CPU seconds and bytes a picture of finding, planning, writing the manifest, and going on with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(count):
            (folder / "in" / f"p{number:07d}.jpg").write_bytes(JPEG + number.to_bytes(8, "big") + bytes(1000))
        before, clock = resident(), _Clock()
        found = find_pictures([str(folder / "in")]).pictures
        finding = clock.lap()
        jobs = plan(found, Wanted(output=f"{folder}/out/"))
        planned, held = clock.lap(), resident() - before
        (folder / "out").mkdir()
        with Manifest(folder / "out" / "manifest.jsonl").held() as manifest:
            clock.lap()
            manifest.begin("c" * 16, {})
            for job in jobs:
                job.outputs[0].mesh.write_bytes(b"mesh")
            clock.lap()
            for number, job in enumerate(jobs):
                manifest.add(job, _result(number, job.outputs[0].mesh, job.picture), "c" * 16)
            written = clock.lap()
        size = (folder / "out" / "manifest.jsonl").stat().st_size
        clock.lap()
        sweep(folder / "out")
        swept = clock.lap()
        before = resident()
        with Manifest(folder / "out" / "manifest.jsonl").held() as manifest:
            read, entries = clock.lap(), resident() - before
            jobs = plan(found, Wanted(output=f"{folder}/out/", known=manifest.knows))
            again = clock.lap()
            for job in jobs:
                state_of(job, manifest, "c" * 16)
            known = clock.lap()
    seconds = {
        "find_seconds": finding, "plan_seconds": planned, "manifest_line_seconds": written,
        "sweep_seconds": swept, "manifest_read_seconds": read, "plan_again_seconds": again,
        "state_seconds": known,
    }  # fmt: skip
    each = {key: round(value / count, 8) for key, value in seconds.items()}
    return {**each, "plan_bytes": held // count, "entry_bytes": entries // count, "line_bytes": size // count}


def pictures_of(manifest: Path) -> dict[str, float]:
    """Seconds, their spread, and bytes of the pictures of a real run."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    done = [line for line in lines if line.get("outputs")]
    logs = [math.log(line["seconds"]) for line in done]
    return {
        "picture_seconds": round(statistics.mean(line["seconds"] for line in done), 4),
        "picture_log_spread": round(statistics.pstdev(logs), 3),
        "bytes_in": round(statistics.mean(line["stamp"][0] for line in done)),
        "bytes_out": round(statistics.mean(sum(line["files"].values()) for line in done)),
    }


def _result(number: int, mesh: Path, picture: Given) -> Result:
    sample = Sample(0, mesh, [mesh], "small", {"total": 0.5}, {"faces": 10_000}, {})
    return Result(number, [sample], [mesh], digest="0" * 64, stamp=stamp_of(picture), seconds=0.5)


class _Clock:
    """CPU seconds between its laps."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def lap(self) -> float:
        before, self._last = self._last, time.process_time()
        return self._last - before


if __name__ == "__main__":
    main()
