"""Ray: the same outcomes as the local pool, failures included."""

from __future__ import annotations

from pathlib import Path

import pytest

from geco.errors import ConfigError, OutputError
from geco.processes import Bounds
from geco.processes.ray_workers import RayWorkers
from tests.processes.build import work

pytest.importorskip("ray")


@pytest.mark.slow
def test_two_actors_survive_what_the_local_pool_survives(tmp_path: Path) -> None:
    bad = {"segfault:": "crashed", "refuse:cup": "empty", "raise:x": "error"}
    jobs = [each for job in bad for each in (job, f"good:{job}")] + [f"once:{tmp_path / 'mark'}"]
    with RayWorkers(work, "local", 2, Bounds(seconds=20, memory_gb=1)) as pool:
        outcomes = {outcome.key: outcome for outcome in pool.run((job, job) for job in jobs)}
        assert {key: outcome.reason for key, outcome in outcomes.items()} == {
            job: bad.get(job) for job in jobs
        }
        assert all(outcome.value.startswith("1 ") for key, outcome in outcomes.items() if key not in bad)
        with pytest.raises(OutputError, match="disk full"):
            list(pool.run([("a", "full:")]))


def test_no_cluster_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        RayWorkers(work, "127.0.0.1:1", 1)
