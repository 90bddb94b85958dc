"""A run's pictures through workers, here or on a cluster: results as they come, a death costs one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from geco.cores import threads_of
from geco.many.maker import Worker
from geco.many.manifest import digest_of_picture, stamp_of
from geco.many.results import AnyJob, Failure, Result, Setup, Task
from geco.processes import Bounds, Outcome, Workers
from geco.processes.child import ONE_THREAD


class Pool(Protocol):
    """``Workers`` or ``RayWorkers``."""

    count: int

    def prepare(self) -> Any: ...

    def run(self, jobs: Iterable[tuple[str, Any]], seconds: float | None = None) -> Iterator[Outcome]: ...


# Workers that one driver keeps busy picture by picture, at a quarter of its time: it hands out some hundreds
# of tasks a second, and a worker makes two pictures in it (benchmarks/scale.py). More are given several.
SINGLY = 64


@dataclass(frozen=True)
class Hands:
    """Who works.

    Attributes:
        workers: processes, each with the model; None with ``ray``: one for every CPU (or GPU) of the cluster.
        ray: address of a cluster, or "local".
        bounds: of a picture.
    """

    workers: int | None
    ray: str | None
    bounds: Bounds


@contextmanager
def pool_of(hands: Hands, setup: Setup, samples: int, pictures: int) -> Iterator[Pool]:
    """The workers, no more than pictures; they end with the block, whatever they do."""
    count = hands.workers if hands.workers is None else min(hands.workers, pictures)
    if hands.ray is None:
        count = count or 1
        threads = threads_of(count)
        environment = {**ONE_THREAD, "OMP_NUM_THREADS": str(threads)}
        with Workers(Worker(setup, threads, samples), count, hands.bounds, environment) as local:
            yield local
        return
    from geco.processes.ray_workers import Cluster, RayWorkers

    gpu = (setup.device or "").startswith("cuda")
    cluster = Cluster(hands.ray, gpu, "Work on many machines")
    with RayWorkers(Worker(setup, 1, samples), cluster, count, hands.bounds) as remote:
        yield remote


def in_one_task(workers: int) -> int:
    """Pictures that a worker is given at a time, where the model gains nothing by more than one."""
    return -(-workers // SINGLY)


def results(
    jobs: Sequence[AnyJob],
    pool: Pool,
    bounds: Bounds,
    may_replace: Callable[[AnyJob], bool],
) -> Iterator[Result]:
    """A result a job, as they come.

    Args:
        jobs: of the run; a result's ``number`` is the place here.
        bounds: of a picture; several that are drawn together may take as much time as one after the other.
        may_replace: whether a job's files may be written over without a look at whose they are.
    """
    together = max(int(pool.prepare()), in_one_task(pool.count))
    parts = [range(start, min(start + together, len(jobs))) for start in range(0, len(jobs), together)]
    alone: list[range] = []
    while parts:
        tasks = (
            (f"{part.start}-{part.stop}", [_task(n, jobs[n], may_replace) for n in part]) for part in parts
        )
        for outcome in pool.run(tasks, bounds.seconds * together):
            if outcome.reason is None:
                yield from outcome.value
                continue
            start, stop = map(int, outcome.key.split("-"))
            if stop - start > 1:  # one of them is to blame: each alone
                alone += [range(number, number + 1) for number in range(start, stop)]
            else:
                picture = jobs[start].picture
                digest, stamp = digest_of_picture(picture), stamp_of(picture)
                failure = _failure(jobs[start], outcome, bounds)
                yield Result(start, failure=failure, digest=digest, stamp=stamp)
        parts, alone, together = alone, [], 1


def _task(number: int, job: AnyJob, may_replace: Callable[[AnyJob], bool]) -> Task:
    return Task(number, job.picture, job.outputs, job.steps, job.step_files, may_replace(job))


def _failure(job: AnyJob, outcome: Outcome, bounds: Bounds) -> Failure:
    """What ended a worker, as the picture's failure."""
    label = job.picture.label
    if outcome.reason == "timeout":
        return Failure("TimeLimit", f"{label}: {outcome.message}", "Allow more with --time-limit.")
    if outcome.reason == "memory":
        problem = f"{label}: more memory than the limit of {bounds.memory_gb:g} GiB for a picture"
        return Failure("MemoryLimit", problem, "Allow more with --memory, or ask for a smaller texture.")
    if outcome.reason == "crashed":
        return Failure("Crashed", f"{label}: {outcome.message}", "Leave it out, or run it alone to see why.")
    return Failure("InternalError", f"{label}: {outcome.message}", "Run it alone with --debug.")
