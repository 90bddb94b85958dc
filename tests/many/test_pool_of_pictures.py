"""A death, a hang or want of memory costs one picture, also where several are drawn together."""

from __future__ import annotations

from pathlib import Path

from geco.many.pool import results
from geco.outputs import Wanted, plan
from geco.processes import Bounds, Workers
from tests.many.build import Mortal
from tests.outputs.build import pictures


def test_one_bad_picture_of_a_batch_costs_itself_alone(tmp_path: Path) -> None:
    names = ["a.png", "crash.png", "b.png", "c.png", "d.png", "hang.png", "e.png", "greedy.png", "f.png"]
    jobs = plan(pictures(tmp_path, *names), Wanted(output=f"{tmp_path}/out/"))
    bounds = Bounds(seconds=1.5, memory_gb=1)
    with Workers(Mortal(), 2, bounds) as pool:
        found = {result.number: result for result in results(jobs, pool, bounds, lambda job: True)}
    assert sorted(found) == list(range(len(names)))
    failed = {names[number]: result.failure for number, result in found.items() if result.failure}
    assert {name: failure.type for name, failure in failed.items()} == {
        "crash.png": "Crashed",
        "hang.png": "TimeLimit",
        "greedy.png": "MemoryLimit",
    }
    assert all(str(tmp_path / name) in failure.problem and failure.remedy for name, failure in failed.items())
    assert all(found[names.index(name)].digest for name in failed), "a second run knows the same picture"
