"""Methods x objects x seeds: every row is measured once, written at once, and never again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geco.data.objects import ObjectError
from geco.errors import ConfigError, GecoError, InputImageError, WeightsError
from geco.evaluate.job import Job, MethodResult
from geco.evaluate.methods import Method
from geco.evaluate.pictures import save_strip, truth_path
from geco.evaluate.plan import Plan
from geco.evaluate.reading import Reader
from geco.evaluate.report import outputs_are_current, write_report
from geco.evaluate.rows import SKIPPED, Rows, row_key
from geco.evaluate.score_row import Scorer
from geco.evaluate.scores import Measures, load_measures
from geco.evaluate.settings import agree_on_measures, agreed, describe, settle
from geco.evaluate.truth import Truth, on_white
from geco.evaluate.worker import Worker, WorkerDied
from geco.files import sweep_below
from geco.images import over_white
from geco.locks import LOCK, locked

DEATHS = 3  # of a method's process in a row; then the method is given up


def evaluate(plan: Plan) -> dict[str, Any]:
    """Measure what is not measured yet, then write the report.

    Returns:
        {"measured": rows added, "rows": in all, "seconds": of this call}.

    Raises:
        ConfigError: the folder holds a report of other settings. GecoError: a model that cannot be loaded.
    """
    start = time.perf_counter()
    paths = {key: source.path for key, source in plan.objects.items()}
    described = describe(plan.settings, plan.methods, paths)
    agreed(plan.report, described)  # before there is anything of ours in a folder that is another's
    with locked(plan.report, LOCK, ConfigError):
        sweep_below(plan.report)
        settle(plan.report, described)
        return _evaluate(plan, start)


def _evaluate(plan: Plan, start: float) -> dict[str, Any]:
    rows = Rows(plan.report)
    before = len(rows)
    todo = [(method, missing(plan, method, rows)) for method in plan.methods]
    todo = [(method, units) for method, units in todo if units]
    if todo:
        measures = load_measures(plan.settings.lpips_weights, plan.settings.clip_weights)
        agree_on_measures(plan.report, measures.missing)
        total = sum(len(units) for _, units in todo)
        with _Progress(total, plan.quiet) as progress, Reader(plan.reading) as reader:
            for method, units in todo:
                _measure(plan, method, units, rows, measures, progress, reader)
    if len(rows) > before or not outputs_are_current(plan.report, rows):
        write_report(plan.report, rows, plan.objects)
    return {"measured": len(rows) - before, "rows": len(rows), "seconds": time.perf_counter() - start}


def missing(plan: Plan, method: Method, rows: Rows) -> list[tuple[str, int]]:
    """The (object, seed) of a method of which not every column is there."""
    columns, skipped = method.columns(plan.settings.variants), rows.skipped()
    return [
        (key, seed)
        for key, seed in plan.units(method)
        if key not in skipped and not all((column, key, seed) in rows for column in columns)
    ]


def _measure(
    plan: Plan,
    method: Method,
    units: list[tuple[str, int]],
    rows: Rows,
    measures: Measures,
    progress: _Progress,
    reader: Reader,
) -> None:
    """All missing rows of one method, in a process of its own where it has a model."""
    scorer = Scorer(plan.report, plan.settings, method, measures, plan.keep_meshes, reader.mesh)
    with _Model(method, plan) as model:
        for truth, seeds in _truths(plan, units, rows, progress, reader):
            for seed in seeds:
                outcome, error = MethodResult(), None
                try:
                    if method.has_process:
                        outcome = model.ask(truth, seed)
                except (WorkerDied, GecoError) as problem:
                    error = str(problem)
                made = scorer.rows(truth, seed, outcome, error, model.facts)
                rows.add([row for row in made if row_key(row) not in rows])
                progress.step(f"{method.name} {truth.key}")


def _truths(
    plan: Plan, units: list[tuple[str, int]], rows: Rows, progress: _Progress, reader: Reader
) -> Iterator[tuple[Truth, list[int]]]:
    """Each object that can be used, rendered once for all of its seeds; the others get a row that
    says why.
    """
    by_key: dict[str, list[int]] = {}
    for key, seed in units:
        by_key.setdefault(key, []).append(seed)
    known = rows.skipped()  # by the methods before this one
    for key, seeds in by_key.items():
        if key in known:
            progress.step(f"{key} skipped", len(seeds))
            continue
        try:
            # Set A is needed whatever the protocol: the six generated views are compared with it.
            sets = tuple(dict.fromkeys(("input", "A", *plan.settings.sets)))
            truth = reader.truth(plan.objects[key], plan.settings.size, sets)
            if truth.input[..., 3].max() == 0:
                raise InputImageError(f"{key}: the input camera sees nothing of it")
        except (ObjectError, InputImageError) as error:
            reason = str(getattr(error, "reason", "unseen"))
            rows.add(
                [
                    {
                        "method": SKIPPED,
                        "object": key,
                        "seed": 0,
                        "status": "skipped",
                        "reason": reason,
                        "error": str(error),
                    }
                ]
            )
            progress.step(f"{key} skipped: {reason}", len(seeds))
            continue
        save_truth(plan.report, truth)
        yield truth, seeds


def save_truth(report: Path, truth: Truth) -> None:
    """The ground truth's strips, once."""
    strips = {**truth.views, "input": truth.input[None]}
    for part, rgba in strips.items():
        path = truth_path(report, truth.key, part)
        if not path.is_file():
            save_strip(path, over_white(rgba))


class _Model:
    """A method's process, started at the first question, again after it died, and not at all where nothing
    runs.

    Attributes:
        facts: what loading the model told, and the seconds of the first, unmeasured run.
    """

    def __init__(self, method: Method, plan: Plan) -> None:
        self.facts: dict[str, Any] = {}
        self._method, self._plan = method, plan
        self._worker: Worker | None = None
        self._deaths = 0

    def __enter__(self) -> _Model:
        if self._method.has_process:
            try:
                # at once: a model that cannot be loaded is an error of the call, not of every row
                self._start()
            except WorkerDied as error:
                raise WeightsError(
                    f"{self._method.name}: {error} while it loaded", "Is there enough memory?"
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, truth: Truth, seed: int) -> MethodResult:
        """What the method makes of the object's input picture."""
        if self._deaths >= DEATHS:
            raise WorkerDied(f"given up: its process died {DEATHS} times in a row")
        try:
            if self._worker is None:
                self._start()
            assert self._worker is not None
            job = self._job(truth, seed)
            if self._method.kind != "optimize" and "warmup_seconds" not in self.facts:
                begin = time.perf_counter()
                self._worker.ask(job)
                self.facts["warmup_seconds"] = time.perf_counter() - begin
            outcome = self._worker.ask(job)
        except WorkerDied:
            self._stop()
            self._deaths += 1
            raise
        self._deaths = 0
        return outcome

    def _job(self, truth: Truth, seed: int) -> Job:
        if self._method.kind != "ground-truth-views":
            return Job(truth.input, seed)
        from geco.cameras import rig

        views, _ = on_white(truth.rig_views(rig(self.facts["rig"]), self.facts["view_size"]))
        return Job(truth.input, seed, views)

    def _start(self) -> None:
        self._worker = Worker(self._method, self._plan.settings.variants, self._plan.device)
        self.facts = dict(self._worker.facts)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


class _Progress:
    """A bar where somebody watches, else a line now and then."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._total, self._quiet, self._done, self._last = total, quiet, 0, time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> _Progress:
        if not self._quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, unit="run", file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, label: str, count: int = 1) -> None:
        """``count`` units are done."""
        self._done += count
        if self._bar is not None:
            self._bar.set_postfix_str(label, refresh=False)
            self._bar.update(count)
        elif not self._quiet and (time.monotonic() - self._last > 30 or self._done == self._total):
            self._last = time.monotonic()
            print(f"{self._done} of {self._total}: {label}", file=sys.stderr, flush=True)
