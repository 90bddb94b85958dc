"""The work of ``geco run``: what is left of a plan, made in this process or by workers, told and kept as it
comes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from geco.cli import progress, run_report
from geco.cli.ending import LOWER
from geco.errors import GecoError
from geco.files import sweep
from geco.many.results import Failure, Result, Setup
from geco.memory import is_shortage, shortage

if TYPE_CHECKING:
    from geco.cli.plan import Job
    from geco.many.manifest import Manifest
    from geco.many.pool import Hands


class Work:
    """One run.

    Args:
        setup: of all pictures.
        seeds: of each.
        jobs: the plan.
        manifest: what earlier runs did, and where this one's results go; None: neither.
    """

    def __init__(
        self,
        setup: Setup,
        seeds: Sequence[int],
        jobs: list[Job],
        options: argparse.Namespace,
        manifest: Manifest | None,
    ) -> None:
        self.setup, self.seeds, self.jobs, self.options, self.manifest = setup, seeds, jobs, options, manifest
        self.choices = ""
        self.made = self.failures = self.before = self.failed_before = 0

    def do(self, hands: Hands | None) -> int:
        """All of it; the exit code."""
        todo = self._todo()
        if todo:
            try:
                with progress.Pictures(len(self.jobs), len(todo), self.options.quiet) as bar:
                    if hands is None:
                        self._here(todo, bar)
                    else:
                        self._by_workers(todo, bar, hands)
            except KeyboardInterrupt:
                self._say_how_to_go_on(len(todo))
                raise
        self._sum_up()
        return 2 if self.failures or self.failed_before else 0

    def _todo(self) -> list[Job]:
        """What no earlier run has done; the others are counted."""
        if self.manifest is None:
            return self.jobs
        from geco.many.done import choices_digest, described
        from geco.many.manifest import state_of

        self.choices = choices_digest(self.setup, self.seeds)
        states = [state_of(job, self.manifest, self.choices) for job in self.jobs]
        if self.options.retry_failed:
            states = ["" if state == "failed" else state for state in states]
        self.before, self.failed_before = states.count("done"), states.count("failed")
        todo = [job for job, state in zip(self.jobs, states) if not state]
        if todo:
            self.manifest.begin(self.choices, {"pictures": len(todo), **described(self.setup, self.seeds)})
        return todo

    def _here(self, todo: list[Job], bar: progress.Pictures) -> None:
        """Picture after picture."""
        from geco.many.maker import Maker

        maker, on_step = Maker(self.setup), progress.Steps(self.options.quiet)
        ahead = maker.ahead(todo, on_step)
        for number, job in enumerate(todo):
            result = Result(number)
            try:
                for sample in maker.samples(job, ahead, result):
                    if len(result.samples) == 1:
                        run_report.doubt(job, result)
                    run_report.sample(job, sample, self.options)
            except Exception as error:
                ours = _ours(error)
                if ours is None:
                    raise
                if not result.samples:
                    run_report.doubt(job, result)
                result.failure = Failure.of(ours)
                ours.args = (run_report.with_written(str(ours), result.files),)
                if self.options.debug or len(self.jobs) == 1:
                    self._keep(job, result)
                    raise ours from error
                run_report.failure(str(ours))
            finally:
                on_step.close()
            self._keep(job, result)
            bar.step()

    def _by_workers(self, todo: list[Job], bar: progress.Pictures, hands: Hands) -> None:
        """As workers become free; results in the order in which they come."""
        from geco.many.pool import pool_of, results

        try:
            with pool_of(hands, self.setup, len(self.seeds), len(todo)) as pool:
                for result in results(todo, pool, hands.bounds, self._may_replace):
                    job = todo[result.number]
                    run_report.doubt(job, result)
                    for sample in result.samples:
                        run_report.sample(job, sample, self.options)
                    if result.failure is not None:
                        run_report.failure(run_report.with_written(str(result.failure), result.files))
                    self._keep(job, result)
                    bar.step()
        finally:  # what the end of a worker has left half-written
            for folder in {path.parent for job in todo for path in job.files()}:
                sweep(folder)

    def _may_replace(self, job: Job) -> bool:
        """Whether no worker need look whose the files are that a job will write over."""
        known = self.manifest.knows if self.manifest is not None else lambda path: False
        return self.setup.overwrite or all(known(path) for path in job.files())

    def _keep(self, job: Job, result: Result) -> None:
        self.failures += result.failure is not None
        meshes = {output.mesh for output in job.outputs}
        self.made += sum(path in meshes for path in result.files)
        if self.manifest is not None:
            self.manifest.add(job, result, self.choices)

    def _sum_up(self) -> None:
        if self.options.quiet or (len(self.jobs) == 1 and self.manifest is None):
            return
        said = [f"{self.made} written", f"{self.failures} of {len(self.jobs)} pictures failed"]
        if self.before:
            said.append(f"{self.before} were done before")
        if self.failed_before:
            said.append(f"{self.failed_before} failed before (--retry-failed tries them again)")
        print(", ".join(said), file=sys.stderr)

    def _say_how_to_go_on(self, todo: int) -> None:
        if self.manifest is not None:
            print(
                f"geco: {self.manifest.path} has what is done; the same command again makes the rest of "
                f"{todo} pictures",
                file=sys.stderr,
            )


def _ours(error: Exception) -> GecoError | None:
    """The error of one picture that the others need not suffer from: one of ours, or too little
    memory for this one.
    """
    if is_shortage(error):
        return shortage(error, LOWER["run"])
    return error if isinstance(error, GecoError) else None
