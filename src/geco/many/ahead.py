"""The pictures of a run, seen and drawn in order: several together where the model gains by it, each failing
on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from geco.batches import candidates
from geco.memory import is_shortage

if TYPE_CHECKING:
    from geco.many.results import AnyJob
    from geco.pipeline import GecoPipeline
    from geco.sampling import OnStep, Sampling
    from geco.seen import Seen, Views


class Ahead:
    """Asked for one job after the other; looks ahead as far as pictures are drawn together.

    Args:
        jobs: of the run, each of the same seeds.
        cutout: see :meth:`geco.pipeline.GecoPipeline.see`.
        at_once: sets of views that are drawn together.
        best_of: seeds a sample, its own and those that follow it.
    """

    def __init__(
        self,
        pipeline: GecoPipeline,
        jobs: Sequence[AnyJob],
        cutout: str,
        sampling: Sampling | None,
        on_step: OnStep | None,
        at_once: int,
        best_of: int = 1,
    ) -> None:
        self._pipeline, self._cutout, self._sampling, self._on_step = pipeline, cutout, sampling, on_step
        self._at_once, self._jobs, self._best_of = at_once, list(jobs), best_of
        self._place = {id(job): number for number, job in enumerate(self._jobs)}
        samples = max(len(job.outputs) for job in jobs) * best_of
        self._together = max(at_once // samples, 1) if pipeline.backend.joins_pictures else 1
        self._ready: dict[int, tuple[Seen, list[Views] | None] | Exception] = {}

    def of(self, job: AnyJob) -> tuple[Seen, Iterator[Views]]:
        """The picture as the model sees it, and its views, one item a seed, ``best_of`` a sample.

        Raises:
            What :meth:`Job.check` and the pipeline's first verb raise; the views what the second does.
        """
        seeds = self._seeds(job)
        if self._together == 1:
            return (seen := self._see(job)), self._alone(seen, seeds)
        if id(job) not in self._ready:
            self._prepare(job)
        ready = self._ready.pop(id(job))
        if isinstance(ready, Exception):
            raise ready
        seen, drawn = ready
        return seen, self._alone(seen, seeds) if drawn is None else iter(drawn)

    def counted(self, views: Sequence[Views]) -> Iterator[Views]:
        """The views of one sample's seeds, each told as a step once it was looked at."""
        for number, each in enumerate(views):
            yield each
            if self._on_step is not None and len(views) > 1:
                self._on_step(number + 1, len(views))

    def _seeds(self, job: AnyJob) -> list[int]:
        return candidates([output.seed for output in job.outputs], self._best_of)

    def _see(self, job: AnyJob) -> Seen:
        picture = job.picture.source()
        source = None if job.picture.data is None else job.origin.source
        job.check(job.step_files)
        return self._pipeline.see(picture, self._cutout, source)

    def _alone(self, seen: Seen, seeds: Sequence[int]) -> Iterator[Views]:
        return self._pipeline.views(seen, seeds, self._sampling, self._on_step, self._at_once)

    def _prepare(self, first: AnyJob) -> None:
        """See ``first`` and those after it, and draw them together; what fails waits for its turn."""
        start = self._place[id(first)]
        seen: dict[int, Seen] = {}
        for job in self._jobs[start : start + self._together]:
            try:
                seen[id(job)] = self._see(job)
            except Exception as error:
                self._ready[id(job)] = error
        drawn: list[Any] = [None] * len(seen)
        if len(seen) > 1:
            try:
                drawn = self._pipeline.views_together(
                    list(seen.values()), self._seeds(first), self._sampling, self._on_step
                )
            except Exception as error:  # too much together: each picture alone, in its turn
                if not is_shortage(error):
                    raise
        self._ready |= {key: (one, views) for (key, one), views in zip(seen.items(), drawn)}
