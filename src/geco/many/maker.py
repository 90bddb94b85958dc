"""The loaded model of a run: it makes every picture's files, in the command's own process or a worker's."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from geco.asset import Asset
from geco.errors import ConfigError, GecoError
from geco.loading import load_backend
from geco.many.ahead import Ahead
from geco.many.manifest import digest_of_picture, stamp_of
from geco.many.results import AnyJob, Failure, Result, Sample, Setup, Task
from geco.marks import mark_text
from geco.memory import device_peak, is_shortage, peak
from geco.outputs import Output
from geco.pipeline import GecoPipeline
from geco.sampling import OnStep
from geco.seen import Views
from geco.version import __version__


class Maker:
    """The model, loaded.

    Args:
        threads: see :func:`geco.loading.load_backend`.

    Raises:
        As :meth:`geco.pipeline.GecoPipeline.from_pretrained`, ``sampling`` and ``at_once``.
    """

    def __init__(self, setup: Setup, threads: int | None = None) -> None:
        self.setup = setup
        self.pipeline = GecoPipeline(load_backend(setup.model, setup.device, threads), setup.max_memory)
        self.sampling = self.pipeline.sampling(**setup.asked.views.asked)
        self.at_once = self.pipeline.at_once(setup.asked.mesh, self.sampling)
        self.best_of = setup.asked.mesh.best_of

    def together(self, samples: int) -> int:
        """How many pictures of so many samples each are drawn in one batch: one, unless the model gains."""
        return max(self.at_once // (samples * self.best_of), 1) if self.pipeline.backend.joins_pictures else 1

    def ahead(self, jobs: Sequence[AnyJob], on_step: OnStep | None) -> Ahead:
        """What sees and draws these jobs' pictures."""
        cutout = self.setup.asked.picture["cutout"]
        return Ahead(self.pipeline, jobs, cutout, self.sampling, on_step, self.at_once, self.best_of)

    def samples(self, job: AnyJob, ahead: Ahead, result: Result) -> Iterator[Sample]:
        """Every sample of one picture, each saved before it is yielded; ``result`` collects what is written
        and found out, also where something is raised.
        """
        started = time.perf_counter()
        if self.setup.digests:
            result.stamp, result.digest = stamp_of(job.picture), digest_of_picture(job.picture)
        try:
            seen, drawn = ahead.of(job)
            result.doubt = seen.facts.get("cutout_doubt")
            written = [] if job.steps is None else seen.save_steps(job.steps)
            result.files += written
            for number, output in enumerate(job.outputs):
                several = list(islice(drawn, self.best_of))
                for path in _save_steps(several, job.steps, number * self.best_of):
                    written.append(path)
                    result.files.append(path)
                asset = self.pipeline.best(ahead.counted(several), seen, self.setup.asked.mesh)
                views = next(each for each in several if each.seed == asset.seed)
                for path in self._save(asset, views, output, job):
                    written.append(path)
                    result.files.append(path)
                result.samples.append(_sample(asset, output, written))
                yield result.samples[-1]
                written = []
        finally:
            result.seconds = time.perf_counter() - started

    def _save(self, asset: Asset, views: Views, output: Output, job: AnyJob) -> Iterator[Path]:
        """Write the files of one sample, each after a last look at what is there; yields them as they are
        done.
        """
        start = time.perf_counter()
        job.check(output.meshes())
        yield from asset.save(output.mesh, **self.setup.asked.file)
        asset.timings["save"] = time.perf_counter() - start
        asset.timings["total"] += asset.timings["save"]
        if output.views is not None:
            job.check([output.views])
            views.save(output.views)
            yield output.views
        if output.turntable is not None:
            from geco.render.turntable import save_turntable

            job.check([output.turntable])
            save_turntable(asset.mesh, output.turntable, mark=mark_text("turntable", asset.source))
            yield output.turntable


def _save_steps(several: Sequence[Views], folder: Path | None, first: int) -> Iterator[Path]:
    """Write the views of a sample's seeds, where there is a folder for steps, numbered from ``first``."""
    for number, views in enumerate(several if folder is not None else ()):
        assert folder is not None
        views.save(folder / f"views-{first + number}.png", "step")
        yield folder / f"views-{first + number}.png"


def _sample(asset: Asset, output: Output, files: list[Path]) -> Sample:
    memory = {"host_bytes": peak(), "device_bytes": device_peak()}
    return Sample(asset.seed, output.mesh, files, asset.model, asset.timings, asset.facts, memory)


class Worker:
    """A :class:`Maker` as the function of a pool: loaded once a process, given a few pictures at a time.

    Args:
        threads: of one operator.
        samples: of each picture.
    """

    def __init__(self, setup: Setup, threads: int, samples: int) -> None:
        self.setup, self.threads, self.samples = setup, threads, samples
        self.folder, self.version = os.getcwd(), __version__
        self._maker: Maker | None = None

    def prepare(self) -> int:
        """Load the model, in the command's own folder; how many pictures it is best given at a time.

        Raises:
            ConfigError: this machine does not see that folder, or has another version of GECO.
        """
        where = platform.node()
        if self.version != __version__:
            raise ConfigError(
                f"{where} has GECO {__version__}, the command is of {self.version}",
                "Install the same version on all machines.",
            )
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ConfigError(
                f"{where} does not see the folder {self.folder} ({error.strerror})",
                "All machines must see pictures and results under the same paths.",
            ) from error
        # A scheduler signals every process of a job; the parent alone decides when this one ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._maker = Maker(self.setup, self.threads)
        return self._maker.together(self.samples)

    def __call__(self, tasks: Sequence[Task]) -> list[Result]:
        """A result a task. What one picture raises is its own result's failure, except for want of memory:
        this process is not to be trusted after it.
        """
        assert self._maker is not None
        jobs = [task.job() for task in tasks]
        ahead = self._maker.ahead(jobs, None)
        return [self._one(task.number, job, ahead) for task, job in zip(tasks, jobs)]

    def _one(self, number: int, job: AnyJob, ahead: Ahead) -> Result:
        assert self._maker is not None
        result = Result(number)
        try:
            for _ in self._maker.samples(job, ahead, result):
                pass
        except Exception as error:
            if is_shortage(error):
                raise MemoryError(str(error).splitlines()[0] if str(error) else "") from error
            if isinstance(error, GecoError):
                result.failure = Failure.of(error)
            else:
                problem = f"{job.picture.label}: {type(error).__name__}: {error}"
                result.failure = Failure(
                    "InternalError", problem, "This is a bug of GECO; run this picture alone with --debug."
                )
        return result
